using System.Runtime.Intrinsics.X86;
using LLama.Abstractions;
using LLama.Native;
using NativeVaccine.Benchmarks.Comparisons;
using NativeVaccine.LlamaCpp;
using static System.FormattableString;

const string Version = "LLamaSharp 0.30.0 (llama.cpp c0c7e147)"; // its assemblies do not say

string? only = null;
int pairs = 5;
for (int i = 0; i < args.Length; i += 2)
{
    if (i + 1 < args.Length && args[i] == "--only") only = args[i + 1];
    else if (i + 1 < args.Length && args[i] == "--threads" && int.TryParse(args[i + 1], out int given) && given > 0) Clock.Threads = given;
    else if (i + 1 < args.Length && args[i] == "--pairs" && int.TryParse(args[i + 1], out given) && given > 0) pairs = given;
    else return Usage();
}

// Left to itself LLamaSharp 0.30 takes its AVX2 build on processors that have AVX-512 too.
AvxLevel level = Avx512F.IsSupported ? AvxLevel.Avx512 : AvxLevel.Avx2;
NativeLibraryConfig.All.WithAvx(level).WithLogCallback(static (_, _) => { });
NativeApi.llama_empty_call();
INativeLibrary library = NativeApi.GetLoadedNativeLibrary(NativeLibraryName.LLama) ?? throw new InvalidOperationException("llama.cpp was not loaded");

using ModelFiles files = ModelFiles.Write();
string command = "dotnet run -c Release --project bench/NativeVaccine.LlamaCpp" + (args.Length == 0 ? "" : " -- ")
    + string.Join(' ', args.Select(static each => each.Contains(' ') ? $"'{each}'" : each));
var page = new Page("Generation beside llama.cpp", command);
page.Say(
    Invariant($"{Version}, CPU backend, its {library.Metadata?.AvxLevel} build; {Clock.Threads} threads each, the same weights in fp32: ")
    + "a Llama of random weights with 133.9 M parameters, 12 layers of 768, 32,000 tokens. n_batch 2048, n_ubatch 512, flash attention auto or off, "
    + "keys and values fp16 or fp32, in one buffer or one for each sequence: what a trial before found fastest. "
    + "Medians of turns A B A B; ratios of the pairs, with the lowest and highest.");
if (Clock.Threads == 1) page.Say("One thread, so times are the process's processor time: busy neighbours lengthen it less than the clock's.");
try
{
    page.Say(Agreement.Check(files, Clock.Threads));
}
catch (InvalidOperationException difference)
{
    Console.Error.WriteLine(difference.Message);
    return 1;
}

page.Table("case", "llama.cpp", "ours", "ours / llama.cpp", "lowest", "highest", "llama.cpp's fastest setting");
foreach (Case each in Case.All.Where(each => only is null || each.Name.Contains(only, StringComparison.OrdinalIgnoreCase)))
    each.Measure(files, page, Clock.Threads, pairs);
page.EndTable();
page.Print();
return 0;

static int Usage()
{
    Console.Error.WriteLine("usage: NativeVaccine.LlamaCpp [--only TEXT] [--threads N] [--pairs N]");
    return 2;
}
