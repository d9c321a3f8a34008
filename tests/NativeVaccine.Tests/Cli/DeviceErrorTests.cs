using System.Diagnostics;
using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Interop;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>
/// What the program says of a GPU that is missing, too old, too full or broken: one line with the next step. Each case is a process of its
/// own; native/tests/cuda/faulty_cudart.cpp stands between it and the CUDA runtime.
/// </summary>
public sealed class DeviceErrorTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");

    /// <summary>What the cuda engine planned on a GPU for README's shape:llama-2-7b: 19.1 GiB, and of them the kernels' workspace.</summary>
    private const long LargeBytes = 20_481_536_512, LargeWorkspaceBytes = 50_331_648;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AnEngineThatIsNotInstalledSaysHowItIsBuilt()
    {
        CommandResult result = WithoutEngine(Align());

        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Equal(
            "error: the cuda engine was not found; build it with: dotnet build -c Release -p:Cuda=true (needs CUDA 11.8 or later); "
            + $"looked for {NoEngine}",
            result.ErrorLine);
    }

    [Fact]
    public void APlanForAGpuNeedsNone()
    {
        CommandResult result = WithoutEngine(Plan("shape:llama-2-7b", "--max-length", "200", "--device-memory", "24GiB"));

        Assert.Equal(0, result.ExitCode);
        Assert.StartsWith(
            "planned for a GPU as the cuda engine does, and none was asked: the cuda engine is not installed\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("\nfits into 24.0 GiB\n", result.Output, StringComparison.Ordinal);
        JsonNode plan = SavedPlan();
        Assert.Equal(LargeBytes, (long)plan["total_bytes"]!);
        Assert.Equal(LargeWorkspaceBytes, (long)plan["items"]!.AsArray().Single(static item => (string)item!["name"]! == "kernel workspace")!["bytes"]!);
        Assert.Equal((false, true), ((bool)plan["device_asked"]!, (bool)plan["fits"]!));
    }

    [Fact]
    public void WithoutALimitAPlanForAGpuSaysThatNothingIsCompared()
    {
        CommandResult result = WithoutEngine(Plan("shape:llama-2-7b", "--max-length", "200"));

        Assert.Equal(0, result.ExitCode);
        Assert.EndsWith("a GPU's memory is not known here: with --device-memory, as 24GiB, this says what fits into it\n", result.Output, StringComparison.Ordinal);
        JsonNode plan = SavedPlan();
        Assert.Equal(LargeBytes, (long)plan["total_bytes"]!);
        Assert.True(plan["room"] is null && plan["fits"] is null && plan["largest_batch"] is null);

        CommandResult tooSmall = WithoutEngine(Plan("shape:llama-2-7b", "--max-length", "200", "--device-memory", "12GiB"));
        Assert.Equal(ExitCode.Failed, tooSmall.ExitCode);
        Assert.Contains("does not fit into 12.0 GiB, even where every layer recomputes", tooSmall.Output, StringComparison.Ordinal);
    }

    [CudaTheory]
    [InlineData("--max-length", "200", "--device-memory", "24GiB")]
    [InlineData("--max-length", "200", "--device-memory", "16GiB")]
    [InlineData("--max-length", "333", "--precision", "fp32", "--device-memory", "60GiB")]
    public void APlanForAGpuIsTheSameWithAndWithoutOne(params string[] options)
    {
        foreach (string model in new[] { "shape:llama-2-7b", Model })
        {
            CommandResult with = Faulty("", Plan(model, options));
            Assert.True(with.ExitCode == 0, with.Error);
            JsonNode own = SavedPlan();
            CommandResult without = WithoutEngine(Plan(model, options));
            JsonNode other = SavedPlan();

            Assert.DoesNotContain("none was asked", with.Error, StringComparison.Ordinal);
            Assert.Contains("none was asked", without.Error, StringComparison.Ordinal);
            Assert.Equal((true, false), ((bool)own["device_asked"]!, (bool)other["device_asked"]!));
            own["device_asked"] = other["device_asked"] = null;
            Assert.Equal(own.ToJsonString(), other.ToJsonString());
            Assert.Equal(with.Output, without.Output);
        }
    }

    [CudaTheory]
    [InlineData("driver", "there is no NVIDIA driver; install one")]
    [InlineData("old-driver", "the NVIDIA driver is for CUDA 11.4")]
    [InlineData("gpu", "the driver sees no GPU")]
    public void APlanSaysWhyNoGpuWasAsked(string fault, string expected)
    {
        CommandResult result = Faulty(fault, Plan("shape:llama-2-7b", "--max-length", "200"));
        Assert.True(result.ExitCode == 0, result.Error);
        string notice = Assert.Single(result.Error.Split('\n'), static line => line.Contains("none was asked: ", StringComparison.Ordinal));
        Assert.Contains(expected, notice, StringComparison.Ordinal);
        Assert.Equal(LargeBytes, (long)SavedPlan()["total_bytes"]!);
    }

    [CudaTheory]
    [InlineData("capability", "cuda:0", "has compute capability 7.5")]
    [InlineData("", "cuda:7", "cuda:7 is not there; expected cuda:0")]
    public void APlanForAGpuThatIsHereAsksIt(string fault, string device, string expected) =>
        AssertRefused(Faulty(fault, [.. Plan(Model).Select(word => word == "cuda:0" ? device : word)]), expected);

    [CudaTheory]
    [InlineData("driver", "there is no NVIDIA driver; install one for CUDA 1")]
    [InlineData("old-driver", "the NVIDIA driver is for CUDA 11.4, and this engine needs 1")]
    [InlineData("gpu", "the driver sees no GPU: nvidia-smi must list one")]
    [InlineData("capability", "has compute capability 7.5, expected 8.0 or later (RTX 30 series, A100); use another GPU or the cpu")]
    [InlineData("image", "this engine was built without kernels for this GPU, of compute capability 8.6; add it to VACCINE_CUDA_ARCHITECTURES")]
    public void AGpuThatCannotBeUsedIsRefusedInOneLine(string fault, string expected) => AssertRefused(Faulty(fault, Align()), expected);

    [CudaFact]
    public void AnIndexBeyondTheGpusIsRefused() =>
        AssertRefused(Faulty("", Align("--device", "cuda:7")), "cuda:7 is not there; expected cuda:0");

    [CudaFact]
    public void AFullGpuSaysWhatIsFreeAndWhatHelps() => AssertRefused(
        Faulty("memory", Align("--device-memory", "1GiB")),
        "that the plan needs in one piece: 1 MiB of ",
        "are free; end other programs that use the GPU (nvidia-smi lists them), or plan with a lower memory limit (--device-memory)");

    [CudaFact]
    public void APlanBeyondTheGpusFreeMemoryIsRefusedBeforeAnythingIsTaken() => AssertRefused(
        Faulty("memory", Align()), "the plan needs ", " layers recomputed, and the limit is 1 MiB; a smaller batch, shorter samples ");

    [CudaFact]
    public void ALostGpuEndsTheRunAndSaysHowToGoOn()
    {
        CommandResult result = Faulty("access:400", Align("--checkpoint-every", "1"));

        Assert.Equal(ExitCode.Failed, result.ExitCode);
        string error = Assert.Single(result.Error.Split('\n'), static line => line.StartsWith("error:", StringComparison.Ordinal));
        Assert.Contains("the GPU is lost to this process: end it and start again", error, StringComparison.Ordinal);
        Assert.Contains($"continue with: nvaccine align --resume {folder.File("run")}", error, StringComparison.Ordinal);
    }

    [CudaFact]
    public void DoctorListsGpusAndSaysWhatIsWrongWithThem()
    {
        CommandResult works = Faulty("", ["doctor"]);
        Assert.Equal(0, works.ExitCode);
        Assert.Contains("cuda:0", works.Output, StringComparison.Ordinal);
        Assert.Contains("compute capability 8.6, 82 multiprocessors, ", works.Output, StringComparison.Ordinal);
        Assert.Contains("driver for CUDA 11.8, engine's runtime 11.8", works.Output, StringComparison.Ordinal);
        Assert.Contains("this is no GPU: ptxmachine interprets the kernels on the CPU", works.Output, StringComparison.Ordinal);

        CommandResult fails = Faulty("driver", ["doctor"]);
        Assert.Equal(0, fails.ExitCode); // the CPU works
        Assert.Contains("The cuda engine cannot be used: ", fails.Output, StringComparison.Ordinal);
        Assert.Contains("there is no NVIDIA driver; install one", fails.Output, StringComparison.Ordinal);
    }

    [CudaFact]
    public void TheEffectiveConfigurationNamesWhatTheGpuWasGiven()
    {
        CommandResult result = Faulty("", Align("--gemm", "auto", "--max-length", "100"));
        Assert.True(result.ExitCode == 0, result.Error);

        JsonNode saved = JsonNode.Parse(File.ReadAllText(folder.File("run", "config.json")))!;
        Assert.Equal("cuda:0", (string)saved["device"]!);
        Assert.Equal("bf16", (string)saved["precision"]!);
        Assert.Equal("own", (string)saved["gemm"]!); // what auto means there
        // ptxmachine has 24 GiB, less the variables of the kernels.
        Assert.InRange((long)saved["device_memory"]!, 23L << 30, (24L << 30) - NativeVaccine.Engine.Device.ReservedBytes);
    }

    private string[] Align(params string[] more)
    {
        string[] device = more.Contains("--device") ? [] : ["--device", "cuda:0"];
        return
        [
            "align", "--model", Model, "--data", $"{Samples}#align", "--method", "sft", "--batch", "2", "--epochs", "2",
            "--out", folder.File("run"), .. device, .. more,
        ];
    }

    /// <summary>README's plan, of another model and more options.</summary>
    private string[] Plan(string model, params string[] more) =>
    [
        "plan", "--model", model, "--method", "tvaccine", "--layers", model == Model ? "2" : "8", "--batch", "10", "--device", "cuda:0",
        "--json", folder.File("plan.json"), .. more,
    ];

    private JsonNode SavedPlan() => JsonNode.Parse(File.ReadAllText(folder.File("plan.json")))!;

    /// <summary>A path of the cuda engine where there is none.</summary>
    private string NoEngine => folder.File("libnativevaccine_cuda.so");

    private CommandResult WithoutEngine(string[] arguments) => Run(new() { [EngineLibrary.PathVariable] = NoEngine }, arguments);

    private static void AssertRefused(CommandResult result, params string[] parts)
    {
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        string error = Assert.Single(result.Error.Split('\n'), static line => line.StartsWith("error:", StringComparison.Ordinal));
        Assert.All(parts, part => Assert.Contains(part, error, StringComparison.Ordinal));
    }

    /// <summary>Runs with a fault between the engine and the runtime that is first on the library path.</summary>
    private static CommandResult Faulty(string fault, string[] arguments)
    {
        string engine = Environment.GetEnvironmentVariable(EngineLibrary.PathVariable)
            ?? throw new InvalidOperationException($"{EngineLibrary.PathVariable} must name the cuda engine");
        string shim = Path.Combine(Path.GetDirectoryName(engine)!, "libfaulty_cudart.so");
        string runtime = Environment.GetEnvironmentVariable("LD_LIBRARY_PATH")!.Split(':')
            .SelectMany(static path => Directory.Exists(path) ? Directory.GetFiles(path, "libcudart.so.1*") : []).Order().First();
        return Run(new() { ["LD_PRELOAD"] = $"{shim}:{runtime}", ["FAULTY_CUDART"] = fault }, arguments);
    }

    private static CommandResult Run(Dictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Application).Assembly.Location, .. arguments])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new CommandResult(process.ExitCode, output, error.Result);
    }
}
