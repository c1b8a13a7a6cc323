// MKL asks this function whether it may use its Intel kernels, and by itself says no on AMD's processors,
// which then get AVX2 code where they have AVX-512. Exported from the program it takes precedence over MKL's
// own.
extern "C" int mkl_serv_intel_cpu_true();
extern "C" __attribute__((visibility("default"))) int mkl_serv_intel_cpu_true() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") || __builtin_cpu_supports("avx512f") ? 1 : 0;
#else
  return 0;
#endif
}
