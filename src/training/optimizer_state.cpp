#include "training/optimizer_state.h"

#include "base/error.h"

namespace genrec {

WeightMap flat_to_host(const at::Tensor& flat, const ParameterStore& store) {
  const at::Tensor host = flat.cpu();
  WeightMap arrays;
  for (const ParameterStore::Entry& entry : store.entries()) {
    const std::span<const float> values(host.const_data_ptr<float>() + entry.offset,
                                        static_cast<std::size_t>(entry.count));
    arrays.emplace(entry.name, HostArray::of<float>(values, entry.shape));
  }
  return arrays;
}

void flat_from_host(const WeightMap& arrays, const ParameterStore& store, const std::string& what,
                    at::Tensor flat) {
  const auto mismatch = [&](const std::string& name, const std::string& fault) {
    return DataError(
        "checkpoint, " + what + " of " + name + ": " + fault +
        "; it belongs to another model: give the same model options, or begin anew with another --run.dir");
  };
  at::Tensor host = at::zeros({flat.numel()}, at::kFloat);
  for (const ParameterStore::Entry& entry : store.entries()) {
    const auto found = arrays.find(entry.name);
    if (found == arrays.end()) throw mismatch(entry.name, "is absent");
    if (found->second.shape != entry.shape) throw mismatch(entry.name, "has another shape than the model's");
    const std::span<const float> values = found->second.as<float>();
    std::copy(values.begin(), values.end(), host.mutable_data_ptr<float>() + entry.offset);
  }
  if (arrays.size() != store.entries().size()) {
    for (const auto& [name, array] : arrays) {
      bool known = false;
      for (const ParameterStore::Entry& entry : store.entries()) known = known || entry.name == name;
      if (!known) throw mismatch(name, "is not a parameter of the model");
    }
  }
  flat.copy_(host);
}

}  // namespace genrec
