// recommend: the next items of given users, or of all, to JSON lines, CSV or HDF5.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "app/saved_model.h"
#include "app/session.h"
#include "base/error.h"
#include "base/progress.h"
#include "io/hdf5.h"
#include "io/json_file.h"
#include "io/text_writer.h"
#include "training/tasks.h"

namespace genrec {
namespace {

/// How many items a user was given.
struct UserCount {
  UserId user = 0;
  std::int32_t items = 0;
};

/// The lists of many users one behind the other, no copy beside it: at scale they are what fills the memory.
struct Lists {
  std::vector<UserCount> users;
  std::vector<ScoredItem> items;

  void add(UserId user, std::span<const ScoredItem> list) {
    users.push_back({user, static_cast<std::int32_t>(list.size())});
    items.insert(items.end(), list.begin(), list.end());
  }
};

/// A user's list within Lists::items.
struct Place {
  UserId user = 0;
  std::int32_t items = 0;
  std::size_t begin = 0;
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

/// All ranks' values on the root, in rank order; nothing on the others.
template <typename T>
std::vector<T> gather(std::vector<T> mine, Communicator& world) {
  if (world.size() == 1) return mine;
  const std::int64_t total = world.sum(static_cast<std::int64_t>(mine.size()));
  std::vector<T> all(world.is_root() ? static_cast<std::size_t>(total) : 0);
  const auto bytes = std::as_writable_bytes(std::span(all));
  std::size_t filled = 0;
  world.gather_chunks(std::as_bytes(std::span(mine)), 0, kChunkBytes,
                      [&](int, std::span<const std::byte> part) {
                        std::ranges::copy(part, bytes.begin() + static_cast<std::ptrdiff_t>(filled));
                        filled += part.size();
                      });
  return all;
}

/// Ascending by user: a rank's users lie between those of others.
std::vector<Place> places_of(const Lists& lists) {
  std::vector<Place> places;
  places.reserve(lists.users.size());
  std::size_t begin = 0;
  for (const UserCount& count : lists.users) {
    places.push_back({count.user, count.items, begin});
    begin += static_cast<std::size_t>(count.items);
  }
  std::ranges::sort(places, {}, &Place::user);
  return places;
}

using ListFormat = std::string (*)(UserId user, std::span<const ScoredItem> items);

std::string json_line(UserId user, std::span<const ScoredItem> list) {
  Json items = Json::array(), scores = Json::array();
  for (const ScoredItem& item : list) {
    items.push_back(item.item);
    scores.push_back(item.score);
  }
  return Json{{"user", user}, {"items", items}, {"scores", scores}}.dump() + "\n";
}

std::string csv_lines(UserId user, std::span<const ScoredItem> list) {
  std::ostringstream text;
  std::int32_t rank = 0;
  for (const ScoredItem& item : list)
    text << user << ',' << ++rank << ',' << item.item << ',' << item.score << '\n';
  return text.str();
}

void write_text(const Lists& lists, ListFormat format, const std::function<void(const std::string&)>& write) {
  for (const Place& place : places_of(lists)) {
    write(format(place.user,
                 std::span(lists.items).subspan(place.begin, static_cast<std::size_t>(place.items))));
  }
}

void write_stdout(const Lists& lists) {
  write_text(lists, json_line, [](const std::string& text) { std::cout << text; });
  if (!std::cout.flush()) throw InputOutputError("cannot write the recommendations to standard output");
}

void write_text_file(const std::string& path, const Lists& lists, const std::string& head,
                     ListFormat format) {
  TextWriter file(path);
  file.write(head);
  write_text(lists, format, [&](const std::string& text) { file.write(text); });
  file.commit();
}

/// One column at a time: `value(place, rank from 0)` of every recommendation.
template <typename Value>
auto column(const Lists& lists, const std::vector<Place>& places, Value value) {
  std::vector<decltype(value(places.front(), 0))> values;
  values.reserve(lists.items.size());
  for (const Place& place : places) {
    for (std::int32_t rank = 0; rank < place.items; ++rank) values.push_back(value(place, rank));
  }
  return values;
}

void write_hdf5(const std::string& path, const Lists& lists) {
  const std::vector<Place> places = places_of(lists);
  const auto item = [&](const Place& place, std::int32_t rank) -> const ScoredItem& {
    return lists.items[place.begin + static_cast<std::size_t>(rank)];
  };
  Hdf5Writer file(path);
  file.write("/user", column(lists, places, [](const Place& p, std::int32_t) { return p.user; }));
  file.write("/rank", column(lists, places, [](const Place&, std::int32_t rank) { return rank + 1; }));
  file.write("/item", column(lists, places, [&](const Place& p, std::int32_t r) { return item(p, r).item; }));
  file.write("/score",
             column(lists, places, [&](const Place& p, std::int32_t r) { return item(p, r).score; }));
  file.commit();
}

void write_all(const std::string& output, const Lists& lists) {
  const auto extension = std::filesystem::path(output).extension();
  if (output.empty()) {
    write_stdout(lists);
  } else if (extension == ".csv") {
    write_text_file(output, lists, "user,rank,item,score\n", csv_lines);
  } else if (extension == ".h5") {
    write_hdf5(output, lists);
  } else {
    write_text_file(output, lists, "", json_line);
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
  Lists lists;
  lists.users.reserve(rows.size());
  lists.items.reserve(rows.size() * static_cast<std::size_t>(limit));
  recommend(
      *saved.model, trie, dataset.interactions, rows, limit,
      [&](Sample sample, PackedSequences& sources) {
        task.append_source(sample, evaluation_round(Split::kTest), sources);
      },
      ranking_options(o, runtime),
      [&](UserId user, std::span<const ScoredItem> items) { lists.add(user, items); },
      [&](std::int64_t done) { progress.update(done); });
  progress.finish();

  lists.users = gather(std::move(lists.users), world);
  lists.items = gather(std::move(lists.items), world);
  if (world.is_root()) write_all(o.recommend.output, lists);
  return ExitCode::kDone;
}

}  // namespace genrec
