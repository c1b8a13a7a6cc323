#pragma once
#include <ATen/ATen.h>

#include "nn/parameter_store.h"
#include "training/checkpoint.h"

namespace genrec {

/// A flat float32 buffer laid out like the store's values, as one host array a parameter.
[[nodiscard]] WeightMap flat_to_host(const at::Tensor& flat, const ParameterStore& store);

/// The reverse, bit for bit. Throws DataError naming the parameter that is absent, unknown or of another
/// shape; `what` names the arrays in the message.
void flat_from_host(const WeightMap& arrays, const ParameterStore& store, const std::string& what,
                    at::Tensor flat);

}  // namespace genrec
