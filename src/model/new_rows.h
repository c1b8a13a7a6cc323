#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace genrec {

/// Fills rows [known, end) of a table [rows, n] with the mean of `existing` [any rows, n] plus N(0, (0.02
/// std)^2) by column (method 5.4 #20). `which` keeps the streams of different tables apart.
void draw_new_rows(at::Tensor table, std::int64_t known, const at::Tensor& existing, std::uint64_t seed,
                   std::uint64_t which);

}  // namespace genrec
