/* A library of C that is not a module: it does not even include the header. */
int a_function_of_an_ordinary_library(void);
int a_function_of_an_ordinary_library(void) {
  return 1;
}
