// genrec_dist: parses options, runs one command, turns failures into one line and an exit code.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "app/saved_model.h"
#include "app/session.h"
#include "app/tokenizer_file.h"
#include "app/version.h"
#include "base/error.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/stop_signal.h"
#include "comm/launch_check.h"
#include "io/hdf5.h"

namespace genrec {
namespace {

/// Other ranks may have failed in the same way at the same time; only one line is wanted.
constexpr double kGraceSeconds = 3;

void wait_for_debugger(int rank) {
  std::fprintf(stderr, "rank %d waits for a debugger: gdb -p %d, then `set var stop = 0`\n", rank, getpid());
  volatile int stop = 1;
  while (stop != 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
}

const Command& choose_command(const std::string& word) {
  const std::string name = word.empty() ? "siit" : word;
  if (const Command* command = find_command(name)) return *command;
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  throw UsageError("unknown command '" + name + "': did you mean '" + nearest_name(name, names) +
                   "'? see `genrec_dist help`");
}

/// A forgotten --config would otherwise run another job.
void check_words(const CommandLine& line, const Command& command) {
  const std::size_t most = command.arguments.empty() ? 0 : command.name == "inspect" ? 2 : 1;
  if (line.arguments.size() <= most) return;
  throw UsageError(command.name + ": unexpected word '" + line.arguments[most] +
                   "': options are written --section.key VALUE, a configuration --config FILE");
}

/// The file whose options the command goes on with; "" for most commands.
std::filesystem::path saved_file(const CommandLine& line, const ProgramOptions& options) {
  if (options.help || options.version) return {};
  if (line.command == "evaluate" || line.command == "recommend") return checkpoint_path(line, options.run);
  const bool adds_items = line.command == "tokenize" && !options.vectors.new_items.empty();
  if (!adds_items || options.run.dir.empty()) return {};
  return std::filesystem::path(options.run.dir) / "checkpoints" / kTokenizerFile;
}

/// The options that the checkpoint was trained with: config.ini of the run folder that it lies in, else its
/// own copy. A tokenizer has always used its own copy: another command may have written config.ini since.
void read_saved_options(OptionParser& parser, const std::filesystem::path& checkpoint) {
  const auto folder = std::filesystem::absolute(checkpoint).parent_path();
  const auto beside = folder.parent_path() / "config.ini";
  const bool is_tokenizer = checkpoint.filename() == kTokenizerFile;
  if (!is_tokenizer && folder.filename() == "checkpoints" && std::filesystem::exists(beside)) {
    parser.read_file(beside);
  } else if (std::filesystem::is_regular_file(checkpoint)) {
    parser.read_text(Hdf5Reader(checkpoint).read_text("/config"), checkpoint.string() + ":/config");
  }
}

ExitCode run(int argc, char** argv, MpiRuntime& mpi, Logging& logging) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto options = std::make_unique<ProgramOptions>();
  auto parser = std::make_unique<OptionParser>();
  add_options(*parser, *options);
  CommandLine line = parser->parse(arguments);
  if (const auto checkpoint = saved_file(line, *options); !checkpoint.empty()) {
    options = std::make_unique<ProgramOptions>();
    parser = std::make_unique<OptionParser>();
    add_options(*parser, *options);
    read_saved_options(*parser, checkpoint);
    line = parser->parse(arguments);
  }
  Session session{*options, *parser, line, mpi, logging};
  if (options->version) return run_version(session);
  if (options->help) {
    if (!line.command.empty() && line.command != "help") line.arguments = {line.command};
    return run_help(session);
  }
  const Command& command = choose_command(line.command);
  if (!command.goes_on) stop_listening();
  check_words(line, command);
  complete_options(*parser, *options);
  check_options(*parser, *options, command.name);
  if (options->wait_for_debugger == mpi.rank()) wait_for_debugger(mpi.rank());
  return command.run(session);
}

/// One line on stderr, then every rank leaves with the code: together if all failed alike, else by abort.
int leave(MpiRuntime& mpi, ExitCode code, const std::string& message) {
  const bool stopped = code == ExitCode::kStoppedEarly;
  const auto say = [&](const std::string& who) {
    std::cerr << "genrec_dist: " << who << (stopped ? "" : "error: ") << message << std::endl;
  };
  if (mpi.rank() == 0) say("");
  if (mpi.size() == 1 || mpi.all_arrive(kGraceSeconds)) return static_cast<int>(code);
  if (mpi.rank() != 0) say("rank " + std::to_string(mpi.rank()) + ": ");
  mpi.abort(static_cast<int>(code));
}

}  // namespace
}  // namespace genrec

int main(int argc, char** argv) {
  using genrec::ExitCode;
  genrec::listen_for_stop_signals();
  try {
    genrec::MpiRuntime mpi(argc, argv);
    genrec::Logging logging(mpi.rank());
    if (!mpi.launch_warning().empty()) LOG_ROOT(WARNING) << mpi.launch_warning();
    try {
      return static_cast<int>(genrec::run(argc, argv, mpi, logging));
    } catch (const genrec::Error& error) {
      return genrec::leave(mpi, error.code(), error.what());
    } catch (const std::bad_alloc&) {
      return genrec::leave(mpi, ExitCode::kInternal,
                           "out of memory: use a smaller train.batch or train.microbatch-tokens");
    } catch (const std::filesystem::filesystem_error& error) {
      return genrec::leave(mpi, ExitCode::kInputOutput, error.what());
    } catch (const std::exception& error) {
      const std::string text = error.what();
      return genrec::leave(mpi, ExitCode::kInternal, text.substr(0, text.find('\n')));
    }
  } catch (const genrec::Error& error) {  // MPI did not come up: every process is alone
    if (genrec::launcher_rank() == 0) std::cerr << "genrec_dist: error: " << error.what() << std::endl;
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    if (genrec::launcher_rank() == 0) std::cerr << "genrec_dist: error: " << error.what() << std::endl;
    return static_cast<int>(ExitCode::kInternal);
  }
}
