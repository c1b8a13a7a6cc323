// Speed of constrained decoding: a T5 with random weights, a dataset's test users, 20 beams over the trie of
// all identifiers; or, with --regenerate, its titles as prompts and any code at its position, as SIIT
// regenerates identifiers. Before the clock starts, a search with a beam for every identifier of a small trie
// is compared with teacher forcing.
//
//   bench_decode --data DIR [--name Beauty] [--model PRESET] [--regenerate --spiece FILE]
//                [--threads 2] [--precision f32|bf16] [--vocabulary full|codes] [--batch 32] [--users 256]
//                [--repeat 3]
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>

#include "bench/bench.h"
#include "bench/bench_data.h"
#include "decoding/parallel_generator.h"
#include "model/t5_cost.h"
#include "nn/memory.h"
#include "nn/precision.h"
#include "siit/regeneration.h"
#include "training/prompts.h"
#include "training/tasks.h"

namespace {

using namespace genrec;
using bench::BenchData;

constexpr std::int32_t kBeams = 20;
constexpr std::int32_t kTitlePieces = 64;

/// The largest difference between the search's log-probabilities and teacher forcing, over all identifiers of
/// a small trie; infinite when the search misses one or orders them otherwise.
double search_error(const T5Model& model, const BenchData& data) {
  const auto count = static_cast<ItemId>(std::min<std::int64_t>(40, data.items().items()));
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  std::vector<std::int64_t> offsets{0};
  Seq2SeqBatch batch;
  std::vector<TokenId> tokens;
  const PackedSequences source = data.sources({0, 1});
  for (ItemId item = 0; item < count; ++item) {
    const auto identifier = data.items().of(item);
    tokens.insert(tokens.end(), identifier.begin(), identifier.end());
    offsets.push_back(static_cast<std::int64_t>(tokens.size()));
    for (PackedSequences* part : {&batch.source, &batch.target}) {
      const auto all = part == &batch.source ? std::span<const TokenId>(source.tokens) : identifier;
      part->tokens.insert(part->tokens.end(), all.begin(), all.end());
      if (part == &batch.target) part->tokens.push_back(kEndToken);
      part->close_sequence();
    }
    batch.keys.push_back(static_cast<std::uint64_t>(item));
  }
  const PrefixTrie trie(offsets, tokens);
  const at::Tensor log_p = at::log_softmax(model.logits(batch).to(at::kDouble), -1);
  const auto found = generate(model, source, trie.automaton(), {.beams = count}).front();
  std::int64_t items = 0;
  double largest = 0;
  for (std::size_t h = 0; h < found.size(); ++h) {
    if (h > 0 && found[h - 1].score < found[h].score) return kWrong;
    for (const ItemId item : trie.items_at(found[h].node)) {
      double sum = 0;
      for (auto t = batch.target.offsets[static_cast<std::size_t>(item)];
           t < batch.target.offsets[static_cast<std::size_t>(item) + 1]; ++t) {
        sum += log_p[t][batch.target.tokens[static_cast<std::size_t>(t)]].item<double>();
      }
      largest = std::max(largest, std::abs(sum - found[h].log_probability));
      ++items;
    }
  }
  return items == count ? largest : kWrong;
}

/// What is decoded: sources, and what may be said of them.
struct Task {
  SourceMaker sources;
  TokenAutomaton automaton;
};

Task recommendation(const BenchData& data) {
  return {[&data](Range users) { return data.sources(users); }, PrefixTrie(data.items()).automaton()};
}

Task regeneration(const BenchData& data, const std::string& spiece) {
  const TextTokenizer text{std::filesystem::path(spiece)};
  const auto prompts = std::make_shared<Prompts>(builtin_templates(), text);
  const auto titles = std::make_shared<TitlePieces>(data.titles(), text, kTitlePieces);
  const auto task = std::make_shared<AlignmentTask>(*titles, data.items(), *prompts);
  return {[prompts, titles, task](Range items) {
            PackedSequences sources;
            for (std::int64_t i = items.begin; i < items.end; ++i) {
              task->append_item_prompt(static_cast<ItemId>(i), sources);
            }
            return sources;
          },
          regeneration_automaton(data.table(), data.tokens())};
}

Json run(const bench::Options& options) {
  keep_freed_memory();
  const bool regenerate = options.at("--regenerate") == "1";
  if (regenerate && (options.at("--spiece").empty() || options.at("--vocabulary") != "full")) {
    throw UsageError("--regenerate needs --spiece FILE and --vocabulary full: titles are text");
  }
  const BenchData data(options.at("--data"), options.at("--name"), options.at("--vocabulary"), regenerate);
  const int threads = bench::number(options, "--threads");
  const std::int64_t batch = bench::number(options, "--batch"), count = bench::number(options, "--users");
  const Precision wanted = options.at("--precision") == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
  const Precision precision = effective_precision(wanted, at::kCPU);
  T5Config config = T5Config::preset(options.at("--model"));
  config.vocab_size = data.vocabulary();
  T5Model model(config, at::kCPU, precision);
  model.initialise(1);
  const double error = search_error(model, data);
  bench::require(error < (precision == Precision::kFloat32 ? 1e-3 : 1.0),
                 "the search differs from teacher forcing by " + std::to_string(error));

  bench::require(count >= 1 && count <= (regenerate ? data.items().items() : data.users()),
                 "--users: there are not so many");
  const Task task = regenerate ? regeneration(data, options.at("--spiece")) : recommendation(data);
  const auto decode = [&](std::int64_t inputs) {
    generate_in_blocks(model, inputs, batch, threads, task.sources, task.automaton, {.beams = kBeams},
                       [](auto, auto, auto) {}, {});
  };
  decode(std::min(count, batch * threads));
  const bench::Rates rates =
      bench::measure(bench::number(options, "--repeat"), static_cast<double>(count), [&] { decode(count); });
  const double source = static_cast<double>(task.sources({0, count}).size()) / static_cast<double>(count);
  return {{regenerate ? "items_per_s" : "users_per_s", rates.json()},
          {"cpu_ms_per_unit", rates.cpu_ms_per_unit},
          {"gflop_per_unit",
           T5Cost(config).search(source, kBeams, static_cast<double>(data.items().max_length())) / 1e9},
          {"precision", precision_name(precision)},
          {"threads", threads},
          {"batch", batch},
          {"beams", kBeams},
          {"vocab_size", data.vocabulary()},
          {"all_users", data.users()},
          {"source_tokens", source},
          {"check_error", error},
          {"allocator", allocator_name()},
          {"peak_rss_bytes", peak_memory_bytes()}};
}

}  // namespace

int main(int argc, char** argv) {
  return genrec::bench::run("decode", [&] {
    return run(genrec::bench::arguments(argc, argv,
                                        {{"--data", ""},
                                         {"--name", "Beauty"},
                                         {"--model", "tiger"},
                                         {"--spiece", ""},
                                         {"--threads", "2"},
                                         {"--precision", "f32"},
                                         {"--vocabulary", "full"},
                                         {"--batch", "32"},
                                         {"--users", "256"},
                                         {"--repeat", "3"}},
                                        {"--regenerate"}));
  });
}
