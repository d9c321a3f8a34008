using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeVaccine.Cli;
using NativeVaccine.Engine;
using NativeVaccine.Interop;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.Training;

namespace NativeVaccine.Tests.Engine;

/// <summary>What stands in the way of loading an engine is said in one line.</summary>
public sealed class EngineLibraryTests
{
    [Fact]
    public void AMissingLibraryNamesThePathsLookedIn()
    {
        string[] candidates = ["/nowhere/runtimes/native/libengine.so", "/nowhere/libengine.so"];

        string message = Assert.Throws<NativeLibraryException>(() => EngineLibrary.Load("absent", candidates)).Message;

        Assert.Equal("the absent engine was not found; looked for /nowhere/runtimes/native/libengine.so, /nowhere/libengine.so", message);
    }

    [Theory]
    [InlineData("cpu", "dotnet build -c Release (needs CMake 3.21 and a C++17 compiler)")]
    [InlineData("cuda", "dotnet build -c Release -p:Cuda=true (needs CUDA 11.8 or later)")]
    public void AMissingEngineSaysHowItIsBuilt(string variant, string build)
    {
        string message = EngineLibrary.NotFound(variant, ["/nowhere/engine.so"]).Message;

        Assert.Equal($"the {variant} engine was not found; build it with: {build}; looked for /nowhere/engine.so", message);
    }

    [Fact]
    public void AProcessorComputesInFp32Only()
    {
        using Device device = Device.Open();
        SessionOptions options = FixtureSession.Options with { ActivationType = ElementType.BFloat16 };

        EngineException refusal = Assert.Throws<EngineException>(
            () => MemoryPlan.Create(device, ModelConfiguration.Load(Fixtures.Path("micro-llama")), options));

        Assert.EndsWith("the activations' type is 1 (bf16), and this device computes in fp32 only", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AProcessorHasNoChoiceOfGemm() => Refusal.Of(
        () => Device.Open("cpu", gemm: GemmChoice.Cublas), "gemm 'cublas': only a GPU has the choice; expected auto on cpu");

    [Fact]
    public void AnotherAbiVersionNamesBothAndThePath()
    {
        string message = Assert.Throws<NativeLibraryException>(() => EngineLibrary.RequireVersion(99, "/lib/engine.so")).Message;

        Assert.Equal(
            $"/lib/engine.so: has ABI version 99; this program expects {EngineLibrary.ExpectedAbiVersion}, so one of the two is older", message);
        EngineLibrary.RequireVersion(EngineLibrary.ExpectedAbiVersion, "/lib/engine.so");
    }

    /// <summary>A real library of another version, and a program that is started with it: a line, and nothing made.</summary>
    [ForeignLibraryFact]
    public void AnEngineOfAnotherAbiIsRefusedAndNothingIsWritten()
    {
        using var folder = new TemporaryFolder();
        string library = folder.File("libother.so");
        ForeignLibrary.Compile(library, abiVersion: 77);

        string message = Assert.Throws<NativeLibraryException>(() => EngineLibrary.Load("cpu", [library])).Message;

        Assert.Equal($"{library}: has ABI version 77; this program expects {EngineLibrary.ExpectedAbiVersion}, so one of the two is older", message);
        string run = folder.File("run");
        var start = new ProcessStartInfo(
            "dotnet",
            [typeof(Application).Assembly.Location, "align", "--model", Fixtures.Path("micro-llama"), "--data", SmallRun.SampleFile + "#align",
             "--method", "sft", "--out", run])
        {
            RedirectStandardError = true,
            Environment = { [EngineLibrary.PathVariable] = library },
        };
        using Process process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal($"error: {message}", error.TrimEnd());
        Assert.NotEqual(0, process.ExitCode);
        Assert.False(Directory.Exists(run));
    }

    [Fact]
    public void ALibraryThatIsNoEngineIsRefused()
    {
        string other = Directory.GetFiles(RuntimeEnvironment.GetRuntimeDirectory(), "*System.Native.*").Single(IsNativeLibrary);

        string message = Assert.Throws<NativeLibraryException>(() => EngineLibrary.Load("cpu", [other])).Message;

        Assert.Equal($"{other}: is not a NativeVaccine engine; expected a library that this program was built with", message);
    }

    [Fact]
    public void AFileThatIsNoLibraryIsRefusedInOneLine()
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("engine.so");
        File.WriteAllText(file, "text");

        string message = Assert.Throws<NativeLibraryException>(() => EngineLibrary.Load("cpu", [file])).Message;

        Assert.StartsWith($"{file}: cannot be loaded as the cpu engine: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void LibrariesLieBesideTheProgram()
    {
        IReadOnlyList<string> candidates = EngineLibrary.Candidates("cuda");

        Assert.All(candidates, static path => Assert.StartsWith(AppContext.BaseDirectory, path, StringComparison.Ordinal));
        Assert.All(candidates, static path => Assert.Contains("nativevaccine_cuda", path, StringComparison.Ordinal));
        Assert.Contains(Path.Combine("runtimes", RuntimeInformation.RuntimeIdentifier, "native"), candidates[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:0:1")]
    [InlineData("CPU")]
    [InlineData("")]
    public void AnUnknownDeviceIsRefused(string name) =>
        Refusal.Of(() => Device.Open(name), $"device '{name}' is unknown; expected cpu or cuda:N");

    [Fact]
    public void AProcessUsesOneEngine()
    {
        using Device device = Device.Open("cpu");

        Refusal.Of(() => Device.Open("cuda:0"), "device 'cuda': this process runs the cpu engine already");
        Device.Open("cpu").Dispose();
    }

    [Fact]
    public void TheProcessorIsListed()
    {
        IReadOnlyList<EngineStatus> engines = Device.Survey();

        Assert.Equal(["cpu", "cuda"], engines.Select(static engine => engine.Name));
        Assert.True(engines[0].IsInstalled);
        Assert.Null(engines[0].Problem);
        DeviceInfo processor = Assert.Single(engines[0].Devices);
        Assert.Null(processor.ComputeCapability);
        Assert.Null(processor.DriverVersion);
        Assert.NotEmpty(processor.Name);
        Assert.True(processor.Threads >= 1);
        Assert.True(processor.TotalBytes >= processor.FreeBytes && processor.FreeBytes > 0);
    }

    private static bool IsNativeLibrary(string path) =>
        Path.GetExtension(path) is ".so" or ".dylib" || Path.GetFileName(path) == "System.Native.dll";
}
