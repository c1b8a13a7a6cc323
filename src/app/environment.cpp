#include <filesystem>
#include <map>

#include "app/version.h"
#include "app/workspace.h"
#include "data/load_dataset.h"
#include "io/sha256.h"

extern char** environ;

namespace genrec {
namespace {

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

/// Checksums of all that was read.
Json inputs(const ProgramOptions& options, const Workspace& workspace) {
  const Dataset& dataset = workspace.dataset();
  Json files = {{"dataset", {{"name", dataset.name}, {"sha256", dataset.fingerprint}}}};
  std::filesystem::path weights = options.model.weights;
  if (std::filesystem::is_directory(weights)) weights /= "model.safetensors";
  const std::filesystem::path index = options.tokenizer.index.empty()
                                          ? index_file(options.data)
                                          : std::filesystem::path(options.tokenizer.index);
  const std::map<std::string, std::filesystem::path> named = {{"identifiers", index},
                                                              {"weights", weights},
                                                              {"spiece", options.text.spiece},
                                                              {"templates", options.text.templates},
                                                              {"model_config", options.model.config}};
  for (const auto& [name, path] : named) {
    if (std::filesystem::is_regular_file(path))
      files[name] = {{"file", path.string()}, {"sha256", sha256_file(path)}};
  }
  return files;
}

}  // namespace

Json describe_environment(Session& session, const Runtime& runtime, const Workspace& workspace) {
  const Json ranks = rank_table(session.mpi, runtime);
  if (!session.mpi.world().is_root()) return {};
  Json environment = Json::object();
  for (const auto& [name, version] : component_versions()) environment["versions"][name] = version;
  environment["git"] = git_revision();
  environment["inputs"] = inputs(session.options, workspace);
  environment["repairs"] = workspace.repairs();
  environment["ranks"] = ranks;
  environment["environment"] = launch_variables();
  return environment;
}

}  // namespace genrec
