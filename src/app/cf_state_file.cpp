#include "app/cf_state_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "app/version.h"
#include "base/error.h"
#include "base/log.h"
#include "comm/on_root.h"
#include "training/broadcaster.h"
#include "training/checkpoint.h"
#include "training/optimizer_state.h"

namespace genrec {
namespace {

constexpr const char* kModel = "/model";
constexpr const char* kTraining = "/training";
constexpr std::size_t kChunkBytes = std::size_t{1} << 26;

void write_progress(Hdf5Writer& file, const CfTrainProgress& progress) {
  file.attribute(kTraining, "epoch", progress.epoch);
  file.attribute(kTraining, "step", progress.step);
  file.attribute(kTraining, "loss_sum", progress.loss_sum);
  file.attribute(kTraining, "loss_terms", progress.loss_terms);
  file.attribute(kTraining, "optimizer_steps", progress.optimizer_steps);
  file.attribute(kTraining, "loss", progress.loss);
  file.attribute(kTraining, "best_epoch", progress.best_epoch);
  file.attribute(kTraining, "without_gain", progress.without_gain);
  file.attribute(kTraining, "seconds", progress.seconds);
  if (progress.best_score) file.attribute(kTraining, "best_score", *progress.best_score);
}

CfTrainProgress read_progress(const Hdf5Reader& file) {
  CfTrainProgress progress;
  progress.epoch = file.integer_attribute(kTraining, "epoch");
  progress.step = file.integer_attribute(kTraining, "step");
  progress.loss_sum = file.real_attribute(kTraining, "loss_sum");
  progress.loss_terms = file.real_attribute(kTraining, "loss_terms");
  progress.optimizer_steps = file.integer_attribute(kTraining, "optimizer_steps");
  progress.loss = file.real_attribute(kTraining, "loss");
  progress.best_epoch = file.integer_attribute(kTraining, "best_epoch");
  progress.without_gain = file.integer_attribute(kTraining, "without_gain");
  progress.seconds = file.real_attribute(kTraining, "seconds");
  if (file.has_attribute(kTraining, "best_score")) {
    progress.best_score = file.real_attribute(kTraining, "best_score");
  }
  return progress;
}

std::string group_of(const char* kind) {
  return std::string(kTraining).append("/").append(kind);
}

/// All ranks' bytes, rank by rank, on the root; nothing elsewhere.
std::vector<std::byte> gathered(std::span<const std::byte> mine, Communicator& world) {
  std::vector<std::byte> all;
  world.gather_chunks(mine, 0, kChunkBytes, [&all](int /*rank*/, std::span<const std::byte> chunk) {
    all.insert(all.end(), chunk.begin(), chunk.end());
  });
  return all;
}

}  // namespace

CfStateFile::CfStateFile(std::filesystem::path path, const ProgramOptions& options,
                         const OptionParser& parser, const Dataset& dataset, Communicator& world)
    : path_(std::move(path)), options_(options), parser_(parser), dataset_(dataset), world_(world) {}

void CfStateFile::find() {
  on_root(world_, [&] {
    const bool is_there = std::filesystem::exists(path_);
    const std::string& resume = options_.run.resume;
    if (!is_there && resume == "must") {
      throw MissingInput("run.resume = must, but there is no " + path_.string() +
                         ", which sasrec and lightgcn leave: give the run.dir of an earlier run, or "
                         "run.resume = auto");
    }
    if (is_there && resume == "never") {
      throw UsageError("run.resume = never, but " + path_.string() +
                       " already holds a training: give another run.dir, or remove that file");
    }
    if (is_there) found_ = checked(Hdf5Reader(path_));
  });
  Broadcaster broadcaster(world_);
  broadcaster(found_);
}

/// Of a state that this call may go on with.
CfTrainProgress CfStateFile::checked(const Hdf5Reader& file) const {
  CheckpointState begun;
  begun.dataset = file.text_attribute("/", "name");
  begun.fingerprint = file.text_attribute("/", "fingerprint");
  require_dataset(begun, dataset_.fingerprint, dataset_.name, path_);
  const CfTrainProgress progress = read_progress(file);
  for (const auto& [key, then] : parser_.differences(file.read_text("/config"))) {
    if (cf_may_change(key, progress, options_)) continue;
    throw UsageError(key + " = " + parser_.text(key) + " (" + parser_.origin(key) +
                     "), but the training in " + path_.string() + " was begun with " +
                     (then.empty() ? "none" : then) + ": give that value, or another run.dir");
  }
  LOG(INFO) << "going on from " << path_.string() << ": " << progress.epoch << " epochs and " << progress.step
            << " steps are done";
  return progress;
}

std::string CfStateFile::name_of(const ParameterStore& store, const std::string& entry) const {
  if (by_user_ == nullptr) return entry;
  return (&store == by_user_ ? "user_" : "item_") + entry;
}

/// A table of all users in the order of their ids, on the root; what all ranks have anyway, as it is.
HostArray CfStateFile::whole(const ParameterStore& store, const HostArray& mine) const {
  if (&store != by_user_) return mine;
  const std::vector<UserId>& my_users = dataset_.interactions.users;
  const std::vector<std::byte> ids = gathered(std::as_bytes(std::span(my_users)), world_);
  const std::vector<std::byte> rows = gathered(mine.bytes, world_);
  if (!world_.is_root()) return {};
  HostArray all{.type = mine.type, .shape = {dataset_.users(), mine.shape[1]}, .bytes = {}};
  const std::size_t row = static_cast<std::size_t>(mine.shape[1]) * element_size(mine.type);
  all.bytes.resize(static_cast<std::size_t>(dataset_.users()) * row);
  for (std::size_t i = 0; i * sizeof(UserId) < ids.size(); ++i) {
    UserId user = 0;
    std::memcpy(&user, ids.data() + i * sizeof(UserId), sizeof(UserId));
    std::memcpy(all.bytes.data() + static_cast<std::size_t>(user) * row, rows.data() + i * row, row);
  }
  return all;
}

/// The reverse.
HostArray CfStateFile::own_rows(const ParameterStore& store, HostArray all) const {
  const bool is_table = all.shape.size() == 2 && all.shape[0] == dataset_.users();
  if (&store != by_user_ || !is_table) return all;  // a wrong shape is told where the model takes it
  const std::vector<UserId>& users = dataset_.interactions.users;
  HostArray mine{.type = all.type, .shape = {dataset_.interactions.rows(), all.shape[1]}, .bytes = {}};
  const std::size_t row = static_cast<std::size_t>(all.shape[1]) * element_size(all.type);
  mine.bytes.reserve(users.size() * row);
  for (const UserId user : users) {
    const auto own = std::span(all.bytes).subspan(static_cast<std::size_t>(user) * row, row);
    mine.bytes.insert(mine.bytes.end(), own.begin(), own.end());
  }
  return mine;
}

/// `file`: the root's.
void CfStateFile::write(Hdf5Writer* file, const std::string& group, const at::Tensor& flat,
                        const ParameterStore& store) const {
  if (file == nullptr && &store != by_user_) return;  // whole() gathers these alone
  for (const auto& [entry, mine] : flat_to_host(flat, store)) {
    const HostArray all = whole(store, mine);
    if (file != nullptr) file->write(group + "/" + name_of(store, entry), all);
  }
}

void CfStateFile::save(const CfTrainState& state) const {
  std::optional<Hdf5Writer> file;
  if (world_.is_root()) file.emplace(path_);
  Hdf5Writer* const out = file ? &*file : nullptr;
  for (const CfStoreState& part : state.stores) {
    write(out, kModel, part.best.defined() ? part.best : part.values, *part.store);
    write(out, group_of("values"), part.values, *part.store);
    write(out, group_of("exp_avg"), part.exp_avg, *part.store);
    write(out, group_of("exp_avg_sq"), part.exp_avg_sq, *part.store);
  }
  if (!file) return;
  write_progress(*file, state.progress);
  file->attribute("/", "name", dataset_.name);
  file->attribute("/", "fingerprint", dataset_.fingerprint);
  file->attribute("/", "git", git_revision());
  file->write_text("/config", parser_.resolved_ini());
  file->commit();
}

void CfStateFile::read(const Hdf5Reader* file, const std::string& group, const ParameterStore& store,
                       at::Tensor flat) const {
  WeightMap arrays;
  for (const ParameterStore::Entry& entry : store.entries()) {
    HostArray all;
    on_root(world_, [&] { all = file->read(group + "/" + name_of(store, entry.name)); });
    Broadcaster broadcaster(world_);
    broadcaster(all);
    arrays.emplace(entry.name, own_rows(store, std::move(all)));
  }
  flat_from_host(arrays, store, path_.filename().string() + ":" + group, std::move(flat));
}

bool CfStateFile::restore(CfTrainState& state) const {
  if (!found_) return false;
  state.progress = *found_;
  std::optional<Hdf5Reader> file;
  on_root(world_, [&] { file.emplace(path_); });
  const Hdf5Reader* const in = file ? &*file : nullptr;
  for (CfStoreState& part : state.stores) {
    read(in, group_of("values"), *part.store, part.values);
    read(in, group_of("exp_avg"), *part.store, part.exp_avg);
    read(in, group_of("exp_avg_sq"), *part.store, part.exp_avg_sq);
    if (!state.progress.best_score) continue;
    part.best = at::zeros_like(part.values);
    read(in, kModel, *part.store, part.best);
  }
  return true;
}

bool cf_may_change(const std::string& key, const CfTrainProgress& progress, const ProgramOptions& options) {
  // What is made of the vectors afterwards, and what only text vectors look at.
  constexpr std::array<std::string_view, 6> kFree = {"embed.output", "embed.norm", "embed.quantized",
                                                     "embed.text",   "eval.split", "eval.baselines"};
  if (std::ranges::find(kFree, key) != kFree.end()) return true;
  const std::string own = options.embed.model + ".";
  if (key == own + "epochs") {
    const CfTrainOptions& train =
        options.embed.model == "sasrec" ? options.embed.sasrec.train : options.embed.lightgcn.train;
    // An end that was validated out of turn would count in the longer training, too.
    const bool was_in_turn = progress.step > 0 || progress.epoch % train.eval_every == 0;
    return was_in_turn && train.epochs >= progress.epoch + (progress.step > 0 ? 1 : 0);
  }
  // The dataset is compared by its fingerprint; validation, by which the best epoch is chosen, is eval's.
  return key != "run.seed" && !key.starts_with(own) && !key.starts_with("embed.") &&
         !key.starts_with("eval.");
}

void require_no_cf_state(const std::filesystem::path& path, Communicator& world) {
  std::error_code unreadable;
  if (!world.any(world.is_root() && std::filesystem::exists(path, unreadable))) return;
  throw UsageError(path.string() +
                   ": embed trained a model in this folder, whose summary and measurements would be lost: "
                   "give another run.dir");
}

}  // namespace genrec
