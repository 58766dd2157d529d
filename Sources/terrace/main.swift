import Glibc

// Nothing else here: code at the top level runs on the main actor.
exit(runTerrace(Array(CommandLine.arguments.dropFirst())))
