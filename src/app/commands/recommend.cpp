// recommend: the next items of given users, or of all, to JSON lines, CSV or HDF5.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <iostream>
#include <sstream>

#include "app/saved_model.h"
#include "app/session.h"
#include "base/error.h"
#include "base/progress.h"
#include "io/files.h"
#include "io/hdf5.h"
#include "training/tasks.h"

namespace genrec {
namespace {

struct Recommendation {
  std::int32_t user, rank;
  std::int32_t item;
  float score;
};

constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

/// Users named by "0,5,7"; empty: everybody.
std::vector<UserId> parse_users(const std::string& text, std::int64_t users) {
  std::vector<UserId> wanted;
  std::stringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    UserId user = -1;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), user);
    if (error != std::errc() || end != word.data() + word.size() || user < 0 || user >= users) {
      throw UsageError("recommend.users: '" + word + "' is no user id from 0 to " +
                       std::to_string(users - 1));
    }
    wanted.push_back(user);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

std::vector<std::int32_t> rows_of(const Interactions& interactions, const std::vector<UserId>& wanted) {
  std::vector<std::int32_t> rows;
  for (std::int64_t row = 0; row < interactions.rows(); ++row) {
    const UserId user = interactions.users[static_cast<std::size_t>(row)];
    const bool chosen = wanted.empty() || std::binary_search(wanted.begin(), wanted.end(), user);
    if (chosen && interactions.length(row) > 0) rows.push_back(static_cast<std::int32_t>(row));
  }
  return rows;
}

std::string json_lines(const std::vector<Recommendation>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size();) {
    Json items = Json::array(), scores = Json::array();
    const std::int32_t user = all[i].user;
    for (; i < all.size() && all[i].user == user; ++i) {
      items.push_back(all[i].item);
      scores.push_back(all[i].score);
    }
    text += Json{{"user", user}, {"items", items}, {"scores", scores}}.dump() + "\n";
  }
  return text;
}

std::string csv(const std::vector<Recommendation>& all) {
  std::ostringstream text;
  text << "user,rank,item,score\n";
  for (const auto& r : all) text << r.user << ',' << r.rank << ',' << r.item << ',' << r.score << '\n';
  return text.str();
}

void write_hdf5(const std::filesystem::path& path, const std::vector<Recommendation>& all) {
  std::vector<std::int32_t> users, ranks, items;
  std::vector<float> scores;
  for (const auto& r : all) {
    users.push_back(r.user);
    ranks.push_back(r.rank);
    items.push_back(r.item);
    scores.push_back(r.score);
  }
  Hdf5Writer file(path);
  file.write("/user", users);
  file.write("/rank", ranks);
  file.write("/item", items);
  file.write("/score", scores);
  file.commit();
}

void write_all(const std::string& output, const std::vector<Recommendation>& all) {
  const auto extension = std::filesystem::path(output).extension();
  if (output.empty()) {
    std::cout << json_lines(all) << std::flush;
  } else if (extension == ".csv") {
    write_file_atomically(output, csv(all));
  } else if (extension == ".h5") {
    write_hdf5(output, all);
  } else {
    write_file_atomically(output, json_lines(all));
  }
}

}  // namespace

ExitCode run_recommend(Session& session) {
  const ProgramOptions& o = session.options;
  Communicator& world = session.mpi.world();
  Runtime runtime = choose_runtime(o.run, session.mpi);
  SavedModel saved = open_saved_model(session, runtime);
  const Dataset& dataset = saved.workspace->dataset();
  const auto rows = rows_of(dataset.interactions, parse_users(o.recommend.users, dataset.users()));
  const std::int64_t limit = *std::max_element(o.eval.k.begin(), o.eval.k.end());

  const PrefixTrie trie(*saved.items);
  const RecommendationTask task(dataset.interactions, *saved.items, saved.workspace->prompts(),
                                o.data.history, o.run.seed);
  Progress progress(progress_mode(o.run.progress), session.mpi.rank());
  progress.start("recommend", static_cast<std::int64_t>(rows.size()), "users");
  std::vector<Recommendation> mine;
  recommend(
      *saved.model, trie, dataset.interactions, rows, limit,
      [&](Sample sample, PackedSequences& sources) {
        task.append_source(sample, evaluation_round(Split::kTest), sources);
      },
      ranking_options(o, runtime),
      [&](UserId user, std::span<const ScoredItem> items) {
        std::int32_t rank = 0;
        for (const ScoredItem& item : items) mine.push_back({user, ++rank, item.item, item.score});
      },
      [&](std::int64_t done) { progress.update(done); });
  progress.finish();

  std::vector<std::byte> bytes;
  world.gather_chunks(
      std::as_bytes(std::span(mine)), 0, kChunkBytes,
      [&](int, std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
  if (!world.is_root()) return ExitCode::kDone;
  std::vector<Recommendation> all(bytes.size() / sizeof(Recommendation));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair(a.user, a.rank) < std::pair(b.user, b.rank);
  });
  write_all(o.recommend.output, all);
  return ExitCode::kDone;
}

}  // namespace genrec
