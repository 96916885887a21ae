// A shared object that is not a module.
extern "C" int an_ordinary_library_function() {
  return 1;
}
