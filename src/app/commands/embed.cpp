// embed: vectors of items for the tokenizers, collaborative ones (SASRec, LightGCN), which are also evaluated
// as recommenders, or of their texts (LSA, T5).
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "app/cf_state_file.h"
#include "app/cf_training.h"
#include "app/item_vectors.h"
#include "app/results.h"
#include "app/run_folder.h"
#include "app/session.h"
#include "app/t5_embeddings.h"
#include "app/tokenizer_file.h"
#include "app/tokenizer_report.h"
#include "app/workspace.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stop_signal.h"
#include "comm/on_root.h"
#include "eval/quantized_items.h"

namespace genrec {
namespace {

bool is_collaborative(const EmbedOptions& options) {
  return options.model == "sasrec" || options.model == "lightgcn";
}

/// Only the T5 reads texts as pieces, and none reads prompts.
ProgramOptions reading_options(ProgramOptions options) {
  options.data.text = options.embed.text;
  options.text.templates = "none";
  options.model.vocabulary = options.embed.model == "t5" ? "text+codes" : "codes";
  return options;
}

/// LightGCN and LSA are made on the CPU, whatever the node has; the T5 alone computes in run.precision.
Runtime runtime_for(const Session& session) {
  RunOptions options = session.options.run;
  const std::string& model = session.options.embed.model;
  if (model != "t5") options.precision = "f32";
  if (model == "lightgcn" || model == "lsa") {
    if (options.device == "cuda") {
      LOG_ROOT(WARNING) << "embed.model = " << model << " computes on the CPU: run.device = cuda is not used";
    }
    options.device = "cpu";
    options.comm = "mpi";
  }
  return choose_runtime(options, session.mpi);
}

/// What a collaborative model leaves behind.
struct CfResult {
  CfTrainReport report;
  VectorNorms norms;
  Metrics valid, test;
  std::optional<Metrics> test_knowing_validation;
  std::optional<Metrics> test_quantized;            ///< with the code vectors of embed.quantized
  Metrics popularity_on_valid, popularity_on_test;  ///< where eval.baselines asks for them
};

Embeddings text_vectors(Session& session, const Workspace& workspace, const Runtime& runtime,
                        Progress& progress) {
  const EmbedOptions& embed = session.options.embed;
  Embeddings vectors;
  if (embed.model == "t5") {
    vectors = t5_embeddings(session, workspace, runtime, progress);
  } else {
    const std::int64_t width = embed.width > 0 ? embed.width : kLsaWidth;
    vectors = lsa_of_items(session, workspace, static_cast<std::int32_t>(width), progress);
  }
  vectors.provenance.fingerprint = workspace.dataset().fingerprint;
  return vectors;
}

/// After training.
CfResult evaluated(Session& session, const Workspace& workspace, CfTraining& training,
                   const CfTrainReport& report, RunFolder& folder) {
  CfResult result;
  result.report = report;
  result.valid = training.evaluate(Split::kValid);
  result.test = training.evaluate(Split::kTest);
  result.test_knowing_validation = training.test_knowing_validation();
  if (session.options.eval.baselines == "popularity") {
    result.popularity_on_valid = evaluate_popularity(session, workspace, Split::kValid);
    result.popularity_on_test = evaluate_popularity(session, workspace, Split::kTest);
  }
  for (const auto& [name, value] : result.test) {
    folder.measure({report.epochs, static_cast<double>(report.best_epoch), 0, "test", name, value});
  }
  return result;
}

struct CodeVectors {
  at::Tensor items;       ///< [items, dim] on the host
  std::string cf_sha256;  ///< of the collaborative vectors that the codes were trained on; "": on none
};

/// Of the tokenizer embed.quantized. Collective.
CodeVectors code_vectors(const EmbedOptions& embed, const Dataset& dataset, Communicator& world) {
  const std::string& path = embed.quantized;
  std::vector<float> values;
  std::string cf_sha256;
  on_root(world, [&] {
    const TokenizerFile file = read_tokenizer_file(path);
    if (file.fingerprint != dataset.fingerprint) {
      throw DataError(path + ": is a tokenizer of another dataset; give one of " + dataset.name);
    }
    if (!file.table) {
      throw DataError(path + ": its training is not done; run its tokenize command again first");
    }
    const at::Tensor sums = quantized_items(*file.table, codebooks_of(file.state));
    if (sums.size(1) != embed.cf_width()) {
      throw DataError(path + ": its codes are " + std::to_string(sums.size(1)) + " wide, embed.width is " +
                      std::to_string(embed.cf_width()) + "; give a tokenizer with that tokenizer.dim");
    }
    cf_sha256 = file.state.cf_sha256;
    values.assign(sums.const_data_ptr<float>(), sums.const_data_ptr<float>() + sums.numel());
  });
  world.broadcast(values, 0);
  world.broadcast(cf_sha256, 0);
  return {at::tensor(at::ArrayRef<float>(values)).view({dataset.items(), -1}), cf_sha256};
}

std::filesystem::path output_path(const ProgramOptions& o, const RunFolder& folder,
                                  const std::string& dataset) {
  if (!o.embed.output.empty()) return o.embed.output;
  return folder.path() / (dataset + (is_collaborative(o.embed) ? ".cf.h5" : ".embeddings.h5"));
}

/// Says what is wrong with them, too. Collective.
void write(const Embeddings& vectors, bool collaborative, const std::filesystem::path& path,
           const std::string& dataset, Communicator& world) {
  const char* of_repeats =
      collaborative ? "they do not tell their items apart" : "no codebook separates their items";
  for (const std::string& line : describe(examine(vectors), of_repeats))
    LOG_ROOT(WARNING) << dataset << ": " << line;
  on_root(world, [&] { write_embeddings(path, vectors); });
}

Json vectors_json(const Embeddings& vectors, const std::filesystem::path& path) {
  Json json = provenance_json(vectors.provenance);
  json["file"] = path.string();
  json["width"] = vectors.width;
  return json;
}

Json norms_json(const NormRange& range) {
  return {{"items", range.items}, {"min", range.min}, {"mean", range.mean}, {"max", range.max}};
}

void add_to(Json& json, const CfResult& result, const EmbedOptions& embed) {
  const CfTrainReport& report = result.report;
  json["epochs"] = report.epochs;
  json["best_epoch"] = report.best_epoch;
  json["loss"] = report.loss;
  json["seconds"] = {{"train", report.seconds}};
  json["exclude_history"] = excludes_history(embed);
  json["trained_norms"] = {{"trained", norms_json(result.norms.trained)},
                           {"unseen", norms_json(result.norms.unseen)}};
  json["valid"] = Json(result.valid);
  json["test"] = Json(result.test);
  if (result.test_knowing_validation) {
    json["test_knowing_validation"] = Json(*result.test_knowing_validation);
  }
  if (result.test_quantized) json["test_quantized"] = Json(*result.test_quantized);
  json["baselines"] = Json::object();
  if (!result.popularity_on_test.empty()) {
    json["baselines"]["popularity"] = Json(result.popularity_on_test);
  }
}

std::string table_of(const CfResult& result, const ProgramOptions& o) {
  const std::string shown = excludes_history(o.embed) ? "  left out" : "  ranked";
  const std::string name = o.embed.model + ", " + origin_of_parameters(result.report);
  std::vector<MetricsRow> rows;
  const auto add = [&rows](const std::string& of, const char* split, const Metrics& metrics,
                           const std::string& history) {
    if (!metrics.empty()) rows.push_back({of, split, metrics, history});
  };
  add("popularity", "valid", result.popularity_on_valid, "  ranked");
  add(name, "valid", result.valid, shown);
  add("popularity", "test", result.popularity_on_test, "  ranked");
  add(name, "test", result.test, shown);
  add("  knowing validation", "test", result.test_knowing_validation.value_or(Metrics()), shown);
  add("  with quantised items", "test", result.test_quantized.value_or(Metrics()), shown);
  return metrics_table(rows, o.eval.k, "  items of the history");
}

void say(const Embeddings& vectors, const std::filesystem::path& path, const EmbedOptions& embed) {
  std::cout << path.string() << ": " << vectors.rows << " items, width " << vectors.width << ", "
            << vectors.provenance.source
            << (is_collaborative(embed) ? "; used by --letter.cf" : "; used by --tokenizer.embeddings")
            << std::endl;
}

/// Sizes alone.
ExitCode dry_run_of_embed(Session& session, const Workspace& workspace) {
  const ProgramOptions& o = session.options;
  const Dataset& dataset = workspace.dataset();
  if (!session.mpi.world().is_root()) return ExitCode::kDone;
  std::cout << "dataset      " << dataset.name << ": " << dataset.users() << " users, " << dataset.items()
            << " items, " << dataset.interaction_count << " interactions\n";
  if (o.embed.model == "sasrec") {
    SasRec model(dataset.items(), sasrec_options(o));
    std::cout << "model        SASRec, " << model.parameters().parameter_count() << " parameters, at most "
              << o.embed.sasrec.train.epochs << " epochs\n";
  } else if (o.embed.model == "lightgcn") {
    std::cout << "model        LightGCN, " << (dataset.users() + dataset.items()) * o.embed.cf_width()
              << " parameters, at most " << o.embed.lightgcn.train.epochs << " epochs\n";
  }
  std::cout << std::flush;
  return ExitCode::kDone;
}

/// Vectors of texts leave no state: what tells of an earlier call is its summary. Collective.
void require_new(const RunFolder& folder, const RunOptions& options, Communicator& world) {
  on_root(world, [&] {
    if (options.resume != "never" || !std::filesystem::exists(folder.path() / "summary.json")) return;
    throw UsageError("run.resume = never, but " + folder.path().string() +
                     " already holds a run: give another run.dir, or remove that folder");
  });
}

/// Makes the run folder this command's, as far as it does not belong to another one. Collective.
void open_folder(RunFolder& folder, const Session& session, CfStateFile& file) {
  Communicator& world = session.mpi.world();
  require_no_training_run(folder, world);
  require_no_tokenizer(folder.checkpoints() / kTokenizerFile, world);
  require_new(folder, session.options.run, world);
  file.find();
  folder.create();
  world.barrier();
  session.logging.open_file(folder.logs());
  folder.rewind_metrics(file.found() ? file.found()->epoch : -1, -1);
  folder.write_config(session.parser.resolved_ini());
}

}  // namespace

ExitCode run_embed(Session& session) {
  const Runtime runtime = runtime_for(session);
  // A copy: config.ini gets the options as they were given.
  ProgramOptions options = reading_options(session.options);
  Session reading{options, session.parser, session.line, session.mpi, session.logging};
  const Workspace workspace(reading);
  if (options.run.dry_run) return dry_run_of_embed(reading, workspace);
  const bool collaborative = is_collaborative(options.embed);
  if (!collaborative) stop_listening();  // soon done, and nothing to go on from
  Communicator& world = session.mpi.world();
  const Dataset& dataset = workspace.dataset();
  RunFolder folder(run_directory(session, "embed", dataset), world.is_root());
  CfStateFile file(folder.checkpoints() / kCfStateFile, options, session.parser, dataset, world);
  open_folder(folder, session, file);
  folder.write_environment(describe_environment(session, runtime, workspace));

  Progress progress(progress_mode(options.run.progress), world.rank());
  const auto path = output_path(options, folder, dataset.name);
  Embeddings vectors;
  std::optional<CfResult> result;
  if (collaborative) {
    std::optional<CodeVectors> codes;  // a wrong file shows before the training
    if (!options.embed.quantized.empty()) codes = code_vectors(options.embed, dataset, world);
    CfTraining training(reading, workspace, runtime, folder, file, progress);
    const CfTrainReport report = training.train();
    CfVectors made = training.vectors();
    vectors = std::move(made.embeddings);
    write(vectors, collaborative, path, dataset.name, world);  // before the evaluation, which may take long
    result = evaluated(reading, workspace, training, report, folder);
    result->norms = made.norms;
    if (codes) {
      if (codes->cf_sha256 != vectors.provenance.sha256) {
        LOG_ROOT(WARNING) << options.embed.quantized
                          << (codes->cf_sha256.empty() ? ": was trained on no collaborative vectors"
                                                       : ": was trained on other collaborative vectors")
                          << ", its codes lie in another space";
      }
      result->test_quantized = training.test_with(codes->items);
    }
  } else {
    vectors = text_vectors(reading, workspace, runtime, progress);
    write(vectors, collaborative, path, dataset.name, world);
  }

  Json summary = run_facts("embed", reading, workspace, runtime);
  summary["model"] = options.embed.model;
  summary["vectors"] = vectors_json(vectors, path);
  if (result) add_to(summary, *result, options.embed);
  summary["peak_memory_bytes"] = peak_memory_of_ranks(world);
  folder.write_summary(summary);
  if (!world.is_root()) return ExitCode::kDone;
  if (result) std::cout << table_of(*result, options) << "\n";
  say(vectors, path, options.embed);
  return ExitCode::kDone;
}

}  // namespace genrec
