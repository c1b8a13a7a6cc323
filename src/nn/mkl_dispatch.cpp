// MKL asks this function whether it may use its AVX-512 kernels and by itself answers yes on Intel's
// processors only; exported from the program it takes precedence and AMD's get them too (2 to 3 times faster
// products).
extern "C" int mkl_serv_intel_cpu_true();
extern "C" __attribute__((visibility("default"))) int mkl_serv_intel_cpu_true() {
  return 1;
}
