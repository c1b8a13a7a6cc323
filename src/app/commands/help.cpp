#include <iostream>

#include "app/session.h"
#include "app/version.h"
#include "base/error.h"
#include "base/nearest.h"

namespace genrec {
namespace {

/// What a command takes beside the options of its sections; empty for most.
std::string own_options(const std::string& command) {
  if (command == "inspect") {
    return "FILE is a run folder, a checkpoint, a tokenizer, an index.json or an HDF5 dataset.\n"
           "  --verify                              test every checksum\n"
           "  --diff A B                            compare two checkpoints, two datasets, or two tables\n"
           "  --to FILE.json                        all figures of the identifiers\n"
           "  --letter.cf FILE.h5                   code overlap with the nearest items (LETTER, Table 4)\n"
           "  --tokenizer.embeddings FILE.h5        similarity with text embeddings (SIIT, Table 4)\n"
           "  --data.dir FOLDER | --data.file FILE  finds both beside the data, and the texts\n"
           "  --tokenizer.codes N                   of the first level, where FILE has no codebooks\n";
  }
  if (command == "convert") {
    return "  --from X --to Y is one of\n"
           "    FOLDER with NAME.inter.json, NAME.item.json   → FILE.h5, the program's dataset\n"
           "    FILE.h5, a dataset                            → FOLDER for these files\n"
           "    checkpoint                                    → FOLDER in Hugging Face's format\n"
           "    FOLDER in Hugging Face's format               → checkpoint, for evaluate and recommend\n"
           "Identifiers go along: NAME.index.json, in FILE.h5; identifiers.index.json and "
           "added_tokens.json.\n"
           "  --data.name NAME                         which dataset of a folder that holds several\n"
           "  --data.max-users N, --data.max-items N   the first ones only\n"
           "  --data.dir FOLDER | --data.file FILE.h5  the dataset of a model from Hugging Face's format\n"
           "Other options are stored with such a model, as evaluate and recommend will take them.\n";
  }
  if (command == "tokenize") {
    return "Identifiers go to identifiers/ of the run folder; tiger and letter leave codebooks and weights "
           "in\n"
           "checkpoints/tokenizer.h5.\n"
           "  --run.dir FOLDER --tokenizer.new-items FILE.h5   identifiers for items that this tokenizer "
           "never\n"
           "                                                   saw, behind those it has given\n\n";
  }
  if (command == "embed") {
    return "Writes FILE.h5 with a vector an item. sasrec and lightgcn are also evaluated as recommenders "
           "over\n"
           "all items (embed.exclude-history); stopped or killed, the same command goes on.\n\n";
  }
  if (command == "evaluate" || command == "recommend") {
    return "CHECKPOINT is a file, or a run folder: its best checkpoint, else the last one. Without it, "
           "--run.dir.\n"
           "Options that are not given here are those of the run.\n\n";
  }
  return {};
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"siit",
       "self-improving item tokenization, start to test (the default)",
       "",
       {"run", "data", "text", "tokenizer", "letter", "cid", "model", "train", "siit", "decode", "eval",
        "estimate"},
       run_siit,
       true},
      {"train",
       "one recommender on fixed identifiers",
       "",
       {"run", "data", "text", "tokenizer", "letter", "cid", "model", "train", "decode", "eval", "estimate"},
       run_train,
       true},
      {"tokenize",
       "items → identifiers",
       "",
       {"run", "data", "text", "tokenizer", "letter", "cid"},
       run_tokenize,
       true},
      {"embed",
       "vectors of items: collaborative ones, or of their texts",
       "",
       {"run", "data", "text", "embed", "sasrec", "lightgcn", "model", "eval"},
       run_embed,
       true},
      {"evaluate",
       "metrics of a checkpoint on valid or test",
       "[CHECKPOINT]",
       {"run", "data", "text", "decode", "eval"},
       run_evaluate},
      {"recommend",
       "top-K items of given users, or of all",
       "[CHECKPOINT]",
       {"run", "data", "text", "decode", "eval", "recommend"},
       run_recommend},
      {"inspect",
       "what a checkpoint, identifier table or dataset holds",
       "FILE [--verify] [--to FILE.json] | --diff A B",
       {},
       run_inspect},
      {"convert",
       "dataset folder ↔ HDF5 file, checkpoint ↔ Hugging Face folder",
       "--from X --to Y",
       {},
       run_convert},
      {"version", "versions of the program and its libraries", "", {}, run_version},
      {"help", "this text, or the options of one command", "[COMMAND]", {}, run_help},
  };
  return table;
}

const Command* find_command(const std::string& name) {
  for (const Command& command : commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

ExitCode run_version(Session& session) {
  if (session.mpi.rank() == 0) std::cout << version_text();
  return ExitCode::kDone;
}

ExitCode run_help(Session& session) {
  if (session.mpi.rank() != 0) return ExitCode::kDone;
  if (!session.line.arguments.empty()) {
    const std::string& name = session.line.arguments.front();
    const Command* command = find_command(name);
    if (command == nullptr) throw UsageError("help: unknown command '" + name + "': see `genrec_dist help`");
    std::cout << "genrec_dist " << name << " " << command->arguments << "\n  " << command->summary << "\n\n"
              << own_options(name);
    if (!command->sections.empty()) std::cout << session.parser.help_text(command->sections);
    return ExitCode::kDone;
  }
  std::cout
      << "genrec_dist [COMMAND] [--config FILE.ini ...] [--section.key VALUE ...]\n"
         "Trains generative recommenders and improves their item identifiers while it trains.\n"
         "Alone, or one rank per GPU or CPU slot: mpirun -np 8 genrec_dist, srun genrec_dist\n\nCommands\n";
  for (const Command& command : commands()) {
    std::cout << "  " << command.name << std::string(12 - command.name.size(), ' ') << command.summary
              << "\n";
  }
  std::cout
      << "\nExamples\n"
         "  genrec_dist                                     SIIT on a small synthetic dataset\n"
         "  mpirun -np 8 genrec_dist --config configs/beauty_siit.ini --data.dir DATA\n"
         "  genrec_dist siit --config FILE --run.dry-run    check the data, estimate memory and time\n"
         "  genrec_dist inspect runs/NAME/checkpoints/last --verify\n\n"
         "Precedence: defaults < config files in the order given < command line.\n"
         "Exit codes: 0 done, 2 usage, 65 bad data, 66 missing input, 74 I/O error,\n"
         "            75 stopped early with a checkpoint (the same command goes on), 1 internal error\n\n"
      << session.parser.help_text();
  return ExitCode::kDone;
}

}  // namespace genrec
