// Speed of constrained decoding: TIGER's T5 with random weights, Beauty's test users (the last 20 items,
// identifiers alone), 20 beams, 33,065 tokens in the vocabulary. Before the clock starts, a search with a
// beam for every identifier of a small trie is compared with teacher forcing. Prints one JSON object.
//
//   bench_decode --data DIR [--threads 2] [--precision f32|bf16] [--batch 32] [--users 256] [--repeat 3]
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "data/load_dataset.h"
#include "data/virtual_shards.h"
#include "decoding/parallel_generator.h"
#include "nn/memory.h"
#include "nn/precision.h"
#include "tokenizers/vocabulary.h"

namespace {

using namespace genrec;

constexpr std::int32_t kHistory = 20;
constexpr TokenId kTextPieces = 32100;

class Beauty {
 public:
  explicit Beauty(const std::string& folder)
      : dataset_(load(folder)),
        table_(read_index_json(folder + "/Beauty.index.json", dataset_.items())),
        vocabulary_(kTextPieces, table_.symbols()),
        items_(table_, vocabulary_),
        samples_(evaluation_samples(dataset_.interactions, Split::kTest)) {
    RandomStream random(1, Purpose::kUserSample);
    random.shuffle(std::span(samples_));
  }
  [[nodiscard]] TokenId vocabulary() const { return vocabulary_.size(); }
  [[nodiscard]] const TokenizedItems& items() const { return items_; }
  [[nodiscard]] PackedSequences sources(Range range) const {
    PackedSequences sources;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      for (ItemId item : history_of(dataset_.interactions, samples_[static_cast<std::size_t>(i)], kHistory)) {
        const auto tokens = items_.of(item);
        sources.tokens.insert(sources.tokens.end(), tokens.begin(), tokens.end());
      }
      sources.tokens.push_back(kEndToken);
      sources.close_sequence();
    }
    return sources;
  }

 private:
  static Dataset load(const std::string& folder) {
    DataOptions options;
    options.dir = folder;
    options.name = "Beauty";
    options.needs_text = false;
    DatasetRepairs repairs;
    return load_dataset(options, 1, 0, 1, repairs);
  }

  Dataset dataset_;
  IdentifierTable table_;
  Vocabulary vocabulary_;
  TokenizedItems items_;
  std::vector<Sample> samples_;
};

/// The largest difference between the search's log-probabilities and teacher forcing, over all identifiers of
/// a small trie; infinite when the search misses one or orders them otherwise.
double search_error(const T5Model& model, const Beauty& beauty) {
  constexpr ItemId kItems = 40;
  std::vector<std::int64_t> offsets{0};
  Seq2SeqBatch batch;
  std::vector<TokenId> tokens;
  const PackedSequences source = beauty.sources({0, 1});
  for (ItemId item = 0; item < kItems; ++item) {
    const auto identifier = beauty.items().of(item);
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
  const auto found = generate(model, source, trie.automaton(), {.beams = kItems}).front();
  std::int64_t items = 0;
  double largest = 0;
  for (std::size_t h = 0; h < found.size(); ++h) {
    if (h > 0 && found[h - 1].score < found[h].score) return INFINITY;
    for (ItemId item : trie.items_at(found[h].node)) {
      double sum = 0;
      for (auto t = batch.target.offsets[static_cast<std::size_t>(item)];
           t < batch.target.offsets[static_cast<std::size_t>(item) + 1]; ++t) {
        sum += log_p[t][batch.target.tokens[static_cast<std::size_t>(t)]].item<double>();
      }
      largest = std::max(largest, std::abs(sum - found[h].log_probability));
      ++items;
    }
  }
  return items == kItems ? largest : INFINITY;
}

std::map<std::string, std::string> arguments(int argc, char** argv) {
  std::map<std::string, std::string> values{{"--data", ""},    {"--threads", "2"}, {"--precision", "f32"},
                                            {"--batch", "32"}, {"--users", "256"}, {"--repeat", "3"}};
  for (int i = 1; i < argc; i += 2) {
    if (!values.contains(argv[i]) || i + 1 == argc)
      throw UsageError(std::string("unknown option ") + argv[i]);
    values[argv[i]] = argv[i + 1];
  }
  if (values["--data"].empty()) throw UsageError("--data DIR: the folder of Beauty.inter.json");
  return values;
}

void run(std::map<std::string, std::string> options) {
  const Beauty beauty(options["--data"]);
  const int threads = std::stoi(options["--threads"]), repeat = std::stoi(options["--repeat"]);
  const std::int64_t batch = std::stoll(options["--batch"]), users = std::stoll(options["--users"]);
  const Precision wanted = options["--precision"] == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
  const Precision precision = effective_precision(wanted, at::kCPU);
  T5Config config = T5Config::preset("tiger");
  config.vocab_size = beauty.vocabulary();
  T5Model model(config, at::kCPU, precision);
  model.initialise(1);
  const double error = search_error(model, beauty);
  if (!(error < (precision == Precision::kFloat32 ? 1e-3 : 1.0))) {
    throw Error(ExitCode::kInternal, "the search differs from teacher forcing by " + std::to_string(error));
  }

  const PrefixTrie trie(beauty.items());
  const auto sources = [&](Range range) { return beauty.sources(range); };
  const auto decode = [&](std::int64_t count) {
    generate_in_blocks(model, count, batch, threads, sources, trie.automaton(), {.beams = 20},
                       [](auto, auto, auto) {}, {});
  };
  decode(std::min(users, batch * threads));
  std::vector<double> rates;
  const std::clock_t cpu_start = std::clock();
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    decode(users);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    rates.push_back(static_cast<double>(users) / seconds.count());
  }
  const double cpu_ms = 1000 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  std::sort(rates.begin(), rates.end());
  std::printf(
      "{\"bench\": \"decode\", \"users_per_s\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f, \"n\": "
      "%zu}, ",
      rates[rates.size() / 2], rates.front(), rates.back(), rates.size());
  std::printf(
      "\"cpu_ms_per_user\": %.2f, \"precision\": \"%s\", \"threads\": %d, \"batch\": %lld, \"users\": %lld, ",
      cpu_ms / static_cast<double>(users * repeat), precision_name(precision), threads,
      static_cast<long long>(batch), static_cast<long long>(users));
  std::printf("\"beams\": 20, \"vocab_size\": %d, \"check_error\": %.2e, \"peak_rss_bytes\": %lld}\n",
              beauty.vocabulary(), error, static_cast<long long>(peak_memory_bytes()));
}

}  // namespace

int main(int argc, char** argv) {
  genrec::keep_freed_memory();
  try {
    run(arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_decode: %s\n", error.what());
    return 1;
  }
  return 0;
}
