#include <filesystem>
#include <map>
#include <vector>

#include "app/first_identifiers.h"
#include "app/version.h"
#include "app/workspace.h"
#include "io/safetensors.h"
#include "io/sha256.h"
#include "nn/memory.h"

extern char** environ;

namespace genrec {
namespace {

namespace fs = std::filesystem;

/// Rank → host, place on it, device and threads.
Json rank_table(MpiRuntime& mpi, const Runtime& runtime) {
  const Json own = {{"rank", mpi.rank()},
                    {"host", mpi.host()},
                    {"local_rank", mpi.local_rank()},
                    {"device", runtime.device.str()},
                    {"threads", runtime.threads}};
  const std::string line = own.dump();
  Json ranks = Json::array();
  for (const auto& bytes : mpi.world().all_gather(std::as_bytes(std::span(line)))) {
    ranks.push_back(Json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
  }
  return ranks;
}

Json launch_variables() {
  Json variables = Json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    for (const char* prefix :
         {"NCCL_", "OMP_", "SLURM_JOB_ID", "SLURM_ARRAY", "SLURM_NTASKS", "CUDA_VISIBLE_DEVICES"}) {
      if (text.starts_with(prefix))
        variables[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
  }
  return variables;
}

Json checksum_of(const fs::path& path) {
  return {{"file", path.string()}, {"sha256", sha256_file(path)}};
}

/// Of sharded weights: the index, with its shards in a list.
Json checksum_of_weights(const std::vector<fs::path>& files) {
  Json weights = checksum_of(files.front());
  for (std::size_t i = 1; i < files.size(); ++i) {
    if (fs::is_regular_file(files[i])) weights["shards"].push_back(checksum_of(files[i]));
  }
  return weights;
}

/// Checksums of all that was read.
Json inputs(const Session& session, const Workspace& workspace) {
  const ProgramOptions& options = session.options;
  const Dataset& dataset = workspace.dataset();
  Json files = {{"dataset", {{"name", dataset.name}, {"sha256", dataset.fingerprint}}}};
  std::map<std::string, fs::path> named = {{"spiece", options.text.spiece},
                                           {"templates", options.text.templates},
                                           {"model_config", options.model.config}};
  if (session.line.command != "embed") {  // it makes no identifiers
    for (const IdentifierInput& input : identifier_inputs(options)) named[input.name] = input.file;
  }
  for (const auto& [name, path] : named) {
    if (fs::is_regular_file(path)) files[name] = checksum_of(path);
  }
  const std::vector<fs::path> weights = safetensors_files(options.model.weights);
  if (!weights.empty()) files["weights"] = checksum_of_weights(weights);
  return files;
}

}  // namespace

Json describe_environment(Session& session, const Runtime& runtime, const Workspace& workspace) {
  const Json ranks = rank_table(session.mpi, runtime);
  if (!session.mpi.world().is_root()) return {};
  Json environment = Json::object();
  for (const auto& [name, version] : component_versions()) environment["versions"][name] = version;
  environment["git"] = git_revision();
  environment["allocator"] = allocator_name();
  environment["inputs"] = inputs(session, workspace);
  environment["repairs"] = workspace.repairs();
  environment["ranks"] = ranks;
  environment["environment"] = launch_variables();
  return environment;
}

}  // namespace genrec
