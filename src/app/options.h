#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "app/runtime.h"
#include "cf/lightgcn.h"
#include "cf/sasrec.h"
#include "config/option_parser.h"
#include "data/load_dataset.h"
#include "siit/siit_options.h"
#include "tokenizers/item_tokenizer.h"
#include "training/trainer.h"

namespace genrec {

struct TextOptions {
  std::string spiece;  ///< SentencePiece model; "": one is trained on titles and templates
  std::int32_t max_pieces = 64;
  std::string templates;  ///< file, one template with {H} a line; "": the 15 built in; none: no prompt
};

/// Files with vectors of items.
struct VectorFiles {
  std::string embeddings;  ///< of their texts; "": NAME.embeddings.h5 beside the data, else LSA
  std::string cf;          ///< collaborative ones; "": NAME.cf.h5 beside the data
  std::string new_items;   ///< text embeddings of items that the tokenizer never saw
  std::string text = "title+description";  ///< what LSA reads of an item, for a tokenizer (item_texts)
};

/// A collaborative model's width where none is asked for: LETTER's codes have it.
inline constexpr std::int64_t kCfWidth = 32;

struct EmbedOptions {
  std::string model = "sasrec";            ///< sasrec|lightgcn|lsa|t5
  std::int64_t width = 0;                  ///< 0: 32 for collaborative vectors, 384 for LSA
  std::string text = "title+description";  ///< what lsa and t5 read of an item (item_texts)
  std::string output;                      ///< HDF5 file; "": in the run folder
  std::string quantized;                   ///< tokenizer.h5: its codes in place of SASRec's items, too
  double norm = 0;                         ///< mean norm of collaborative vectors; 0: as they were trained
  std::string exclude_history = "auto";    ///< auto (lightgcn: yes)|yes|no
  SasRecOptions sasrec;
  std::string sasrec_loss = "cross-entropy";
  LightGcnOptions lightgcn;
  std::string lightgcn_loss = "bpr";

  /// Of collaborative vectors.
  [[nodiscard]] std::int64_t cf_width() const { return width > 0 ? width : kCfWidth; }
};

struct ModelOptions {
  std::string preset = "tiger";
  std::string config;   ///< Hugging Face config.json; wins over preset
  std::string weights;  ///< Hugging Face folder or safetensors file
  std::string vocabulary = "text+codes";
};

struct DecodeOptions {
  std::int32_t beams = 20;
  std::int32_t batch = 32;  ///< users decoded together by one thread
  std::string score = "mean";
};

struct EvalOptions {
  std::vector<int> k = {5, 10};
  std::string split = "test";
  std::int64_t users = 0;  ///< evaluated users, a seeded sample; 0: all
  std::string baselines = "popularity";
};

struct RecommendOptions {
  std::string users;   ///< "", or user ids "0,5,7"
  std::string output;  ///< .jsonl, .csv or .h5
};

/// What a dry run estimates for beside the ranks that it has.
struct EstimateOptions {
  std::vector<int> ranks;  ///< a line of estimates each
  std::int64_t items = 0;  ///< of the catalogue; 0: the dataset's
  std::int64_t users = 0;  ///< 0: the dataset's
  double tflops = 0;       ///< that a rank reaches in training; 0: what was measured
  double gbyte_per_s = 0;  ///< of a rank's link; 0: what was measured
  double latency_us = 0;   ///< of a message; 0: what was measured
};

/// Everything a run can be told, read once.
struct ProgramOptions {
  RunOptions run;
  DataOptions data;
  TextOptions text;
  TokenizerOptions tokenizer;
  VectorFiles vectors;
  EmbedOptions embed;
  ModelOptions model;
  TrainOptions train;
  SiitOptions siit;
  DecodeOptions decode;
  EvalOptions eval;
  RecommendOptions recommend;
  EstimateOptions estimate;
  bool help = false, version = false;
  bool verify = false;            ///< inspect --verify
  std::vector<std::string> diff;  ///< inspect --diff A B
  std::string from, to;           ///< convert
  std::int32_t wait_for_debugger = -1;
};

/// Binds every option to its field.
void add_options(OptionParser& parser, ProgramOptions& options);
/// Fills in what follows from other options: the config.json of model.weights where neither model.config nor
/// model.preset is given.
void complete_options(const OptionParser& parser, ProgramOptions& options);
/// Rules between fields (a command's own needs included) and the paths that the command reads and writes,
/// before any work; throws UsageError or MissingInput naming the keys.
void check_options(const OptionParser& parser, const ProgramOptions& options, const std::string& command);

}  // namespace genrec
