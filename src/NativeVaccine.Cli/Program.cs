using NativeVaccine.Cli;
using NativeVaccine.Cli.Output;

using Interruption interruption = Interruption.OfProcess();
return new Application(Terminal.OfProcess(), interruption.Token).Run(args);
