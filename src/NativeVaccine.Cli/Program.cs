using NativeVaccine.Cli;
using NativeVaccine.Cli.Output;

var terminal = Terminal.OfProcess();
using Interruption interruption = Interruption.OfProcess(terminal);
return new Application(terminal, interruption).Run(args);
