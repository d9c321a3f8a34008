using BenchmarkDotNet.Running;
using NativeVaccine;
using NativeVaccine.Benchmarks.Comparisons;

const string Usage = """
    One of:
      training-step    a training step against TorchSharp, in turns
      decode           tokens per second of generation
      growth           time of a step against tokens and layers
      memory           peak memory of a process against its plan
      profile          where the time of a step goes
    each prints a Markdown page; --only TEXT keeps the rows whose names contain it. Or BenchmarkDotNet's own options,
      --filter '*'     what lives in C#: tokenizers, safetensors, random numbers
    """;

var comparisons = new Dictionary<string, Action<ComparisonOptions>>(StringComparer.Ordinal)
{
    ["training-step"] = TrainingStepComparison.Run,
    ["decode"] = DecodingSpeed.Run,
    ["growth"] = StepGrowth.Run,
    ["memory"] = PeakMemory.Run,
    [PeakMemory.ChildVerb] = PeakMemory.RunChild,
    ["profile"] = StepProfile.Run,
};

if (args.Length == 0 || args[0] is "help" or "--help")
{
    Console.WriteLine(Usage);
    return 0;
}
if (!comparisons.TryGetValue(args[0], out Action<ComparisonOptions>? comparison))
{
    BenchmarkSwitcher.FromAssembly(typeof(ComparisonOptions).Assembly).Run(args);
    return 0;
}
try
{
    comparison(ComparisonOptions.Parse(args));
    return 0;
}
catch (InputException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 2;
}
