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

#include "app/session.h"
#include "app/version.h"
#include "base/error.h"
#include "base/log.h"
#include "base/nearest.h"
#include "comm/launch_check.h"

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

/// The configuration of the run that a checkpoint or run folder belongs to: what evaluate and recommend start
/// from.
std::filesystem::path saved_configuration(const CommandLine& line, const ProgramOptions& options) {
  if (line.command != "evaluate" && line.command != "recommend") return {};
  const std::filesystem::path run =
      line.arguments.empty() ? std::filesystem::path(options.run.dir)
                             : std::filesystem::path(line.arguments.front()).parent_path().parent_path();
  const auto file = run / "config.ini";
  return std::filesystem::exists(file) ? file : std::filesystem::path();
}

ExitCode run(int argc, char** argv, MpiRuntime& mpi, Logging& logging) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto options = std::make_unique<ProgramOptions>();
  auto parser = std::make_unique<OptionParser>();
  add_options(*parser, *options);
  CommandLine line = parser->parse(arguments);
  if (const auto saved = saved_configuration(line, *options); !saved.empty()) {
    options = std::make_unique<ProgramOptions>();
    parser = std::make_unique<OptionParser>();
    add_options(*parser, *options);
    parser->read_file(saved);
    line = parser->parse(arguments);
  }
  Session session{*options, *parser, line, mpi, logging};
  if (options->version) return run_version(session);
  if (options->help) {
    if (!line.command.empty() && line.command != "help") line.arguments = {line.command};
    return run_help(session);
  }
  const Command& command = choose_command(line.command);
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
    } catch (const std::exception& error) {
      const std::string text = error.what();
      return genrec::leave(mpi, ExitCode::kInternal, text.substr(0, text.find('\n')));
    }
  } catch (const genrec::Error& error) {  // MPI did not come up: every process is alone
    if (genrec::launcher_rank() == 0) std::cerr << "genrec_dist: error: " << error.what() << std::endl;
    return static_cast<int>(error.code());
  }
}
