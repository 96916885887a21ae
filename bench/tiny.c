/* The cheapest command there is: no C library, nothing but exit(0). */
void _start(void) {
#if defined(__x86_64__)
  __asm__ volatile("mov $60, %eax; xor %edi, %edi; syscall");
#elif defined(__aarch64__)
  __asm__ volatile("mov x8, #93; mov x0, #0; svc #0");
#else
#error "say here how to exit on this processor"
#endif
  __builtin_unreachable();
}
