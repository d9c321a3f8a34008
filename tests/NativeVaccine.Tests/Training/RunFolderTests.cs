using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

public sealed class RunFolderTests
{
    private static readonly TrainingOptions Options = SmallRun.OptionsFor("sft");

    [Fact]
    public void AFolderInUseIsRefusedAndItsRunGoesOn()
    {
        using var folders = new TemporaryFolder();
        string path = folders.File("run");
        using (RunFolder.Create(path, Options))
        {
            string expected = $"{path}: another run is writing there; expected a folder that is not in use";
            Assert.Equal(expected, Assert.Throws<InputException>(() => RunReservation.Of(path)).Message);
            Assert.Equal(expected, Assert.Throws<InputException>(() => RunFolder.Create(path, Options)).Message);
            Assert.Equal(expected, Assert.Throws<InputException>(() => RunFolder.Resume(path)).Message);
        }
        RunFolder.Resume(path).Dispose();
    }

    [Fact]
    public void AFolderThatIsNotEmptyIsRefusedAndLeftAsItWas()
    {
        using var folders = new TemporaryFolder();
        File.WriteAllText(folders.File("precious.txt"), "mine");

        InputException exception = Assert.Throws<InputException>(() => RunFolder.Create(folders.Root, Options));

        Assert.Equal($"{folders.Root}: the output folder is not empty; expected a new or empty one", exception.Message);
        Assert.Equal(["precious.txt"], Directory.GetFileSystemEntries(folders.Root).Select(Path.GetFileName));
    }

    [Fact]
    public void OnlyARunCanBeResumed()
    {
        using var folders = new TemporaryFolder();

        InputException exception = Assert.Throws<InputException>(() => RunFolder.Resume(folders.Root));

        Assert.Equal($"{folders.Root}: has no config.json; expected the folder of a run", exception.Message);
        Assert.Empty(Directory.GetFileSystemEntries(folders.Root));
    }

    [Fact]
    public void ACompleteRunIsNotResumed()
    {
        using var folders = new TemporaryFolder();
        using (TrainingRun run = TrainingRun.Create(Options, folders.File("run"))) run.Execute();
        File.Delete(folders.File("run", "report.html")); // as a kill between the adapter and the report leaves it

        InputException exception = Assert.Throws<InputException>(() => TrainingRun.Resume(folders.File("run")));

        Assert.Equal($"{folders.File("run")}: the run is complete; there is nothing to resume", exception.Message);
        Assert.True(File.Exists(folders.File("run", "report.html")));
    }

    [Fact]
    public void ResumingRemovesWhatAKilledProcessHadBegunToWrite()
    {
        using var folders = new TemporaryFolder();
        string path = folders.File("run");
        RunFolder.Create(path, Options).Dispose();
        Directory.CreateDirectory(folders.File("run", ".adapter.0a1b2c3d.partial"));
        Directory.CreateDirectory(folders.File("run", "checkpoints"));
        File.WriteAllText(folders.File("run", "checkpoints", ".step-000000002.checkpoint.0a1b2c3d.partial"), "torn");

        RunFolder.Resume(path).Dispose();

        Assert.Equal(
            ["checkpoints", "config.json", "metrics.jsonl", "replay.jsonl"],
            Directory.GetFileSystemEntries(path).Select(Path.GetFileName).Order());
        Assert.Empty(Directory.GetFileSystemEntries(folders.File("run", "checkpoints")));
    }

    [Fact]
    public void AKillWhileTheAdapterIsWrittenLeavesARunThatGoesOnAtOnce()
    {
        using var folders = new TemporaryFolder();
        RunFolder.Create(folders.File("run"), Options).Dispose();
        Directory.CreateDirectory(folders.File("run", ".adapter.0a1b2c3d.partial"));
        File.WriteAllText(folders.File("run", ".adapter.0a1b2c3d.partial", ".adapter_model.safetensors.4e5f6a7b.partial"), "torn");

        using TrainingRun run = TrainingRun.Resume(folders.File("run"));

        Assert.Equal(folders.File("run", "adapter"), run.Execute());
        Assert.DoesNotContain(Directory.GetFileSystemEntries(folders.File("run")), static name => name.EndsWith(".partial", StringComparison.Ordinal));
    }

    [Fact]
    public void AKillBeforeTheConfigurationLeavesAFolderThatIsFree()
    {
        using var folders = new TemporaryFolder();
        Directory.CreateDirectory(folders.File("run"));
        File.WriteAllText(folders.File("run", "run.lock"), "");
        File.WriteAllText(folders.File("run", ".config.json.0a1b2c3d.partial"), "{");

        using TrainingRun run = TrainingRun.Create(Options, folders.File("run"));

        Assert.Equal(
            ["checkpoints", "config.json", "metrics.jsonl", "replay.jsonl", "run.lock"],
            Directory.GetFileSystemEntries(folders.File("run")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void ResumingTouchesOnlyWhatTheRunMadeAndFollowsNoLink()
    {
        if (OperatingSystem.IsWindows()) return;
        using var folders = new TemporaryFolder();
        RunFolder.Create(folders.File("run"), Options).Dispose();
        string outside = Directory.CreateDirectory(folders.File("outside", "sub")).Parent!.FullName;
        File.WriteAllText(Path.Combine(outside, ".adapter.0a1b2c3d.partial"), "mine");
        File.WriteAllText(Path.Combine(outside, "sub", ".x.partial"), "mine");
        File.WriteAllText(folders.File("run", ".notes.partial"), "mine");
        Directory.CreateSymbolicLink(folders.File("run", "linked"), outside);
        Directory.CreateSymbolicLink(folders.File("run", ".adapter.11111111.partial"), outside);

        RunFolder.Resume(folders.File("run")).Dispose();

        Assert.True(File.Exists(Path.Combine(outside, ".adapter.0a1b2c3d.partial")));
        Assert.True(File.Exists(Path.Combine(outside, "sub", ".x.partial")));
        Assert.True(File.Exists(folders.File("run", ".notes.partial")));
    }

    [Theory]
    [InlineData("checkpoints")]
    [InlineData("metrics.jsonl")]
    [InlineData("replay.jsonl")]
    public void ALinkWhereTheRunWritesIsRefused(string name)
    {
        if (OperatingSystem.IsWindows()) return;
        using var folders = new TemporaryFolder();
        RunFolder.Create(folders.File("run"), Options).Dispose();
        Directory.Move(folders.File("run", name), folders.File("moved"));
        File.CreateSymbolicLink(folders.File("run", name), folders.File("moved"));

        InputException exception = Assert.Throws<InputException>(() => RunFolder.Resume(folders.File("run")));

        Assert.Equal($"{folders.File("run", name)}: is a link; expected what the run itself made there", exception.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ALinkToAFolderMeansTheFolder(bool isThere)
    {
        if (OperatingSystem.IsWindows()) return;
        using var folders = new TemporaryFolder();
        if (isThere) Directory.CreateDirectory(folders.File("folder"));
        Directory.CreateSymbolicLink(folders.File("link"), folders.File("folder"));
        using (TrainingRun run = TrainingRun.Create(Options, folders.File("link"))) run.Execute();

        Assert.NotNull(new DirectoryInfo(folders.File("link")).LinkTarget);
        Assert.True(File.Exists(folders.File("folder", "adapter", "adapter_model.safetensors")));
    }

    [Fact]
    public void AFolderThatCannotBeMadeIsRefusedBeforeTheDataIsRead()
    {
        if (!OperatingSystem.IsLinux()) return;
        InputException exception = Assert.Throws<InputException>(
            () => TrainingRun.Create(Options with { Data = "no-such.jsonl" }, "/proc/self/no-such/run"));

        Assert.StartsWith("/proc/self/no-such/run: cannot be written: ", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnInterruptedRunsFolderIsNotTakenForANewRun()
    {
        using var folders = new TemporaryFolder();
        RunFolder.Create(folders.File("run"), Options).Dispose();

        Assert.EndsWith(
            "expected a new or empty one (--resume goes on with the run in it)",
            Assert.Throws<InputException>(() => TrainingRun.Create(Options, folders.File("run"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ADamagedLineCostsTheReportAndNotTheAdapter()
    {
        if (OperatingSystem.IsWindows()) return; // where no one else may write into the file
        using var folders = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Create(Options, folders.File("run"));
        var notices = new List<string>();
        run.Notice = notices.Add;
        run.StepDone = (metrics, steps) =>
        {
            if (metrics.Step == 0) Write(folders.File("run", "metrics.jsonl"), "}");
        };

        Assert.True(File.Exists(Path.Combine(run.Execute(), "adapter_model.safetensors")));

        Assert.StartsWith($"no report: {folders.File("run", "metrics.jsonl")}:1: broken JSON", Assert.Single(notices), StringComparison.Ordinal);
        Assert.False(File.Exists(folders.File("run", "report.html")));

        static void Write(string file, string text)
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
        }
    }

    [Fact]
    public void ARunLeavesWhatTheContractNames()
    {
        using var folders = new TemporaryFolder();
        using (TrainingRun run = TrainingRun.Create(Options with { CheckpointEvery = 3 }, folders.File("run")))
            Assert.Equal(folders.File("run", "adapter"), run.Execute());

        Assert.Equal(
            ["adapter", "checkpoints", "config.json", "metrics.jsonl", "plan.json", "replay.jsonl", "report.html"],
            Directory.GetFileSystemEntries(folders.File("run")).Select(Path.GetFileName).Order());
        Assert.Equal(
            ["step-000000003.checkpoint", "step-000000006.checkpoint"],
            Directory.GetFiles(folders.File("run", "checkpoints"), "*.checkpoint").Select(Path.GetFileName).Order());
        TrainingOptions options = TrainingOptionsJson.Read(folders.File("run", "config.json"));
        Assert.Equal(Options.LearningRate, options.LearningRate);
        Assert.Contains("nativevaccine", options.Versions.Keys);
    }

    [Fact]
    public void FullTrainingLeavesAModel()
    {
        using var folders = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Create(Options with { Full = true, LearningRate = 1e-3 }, folders.File("run"));
        var losses = new List<double>();
        run.StepDone = (metrics, _) => losses.Add(metrics.Loss);

        string result = run.Execute();

        using ModelFolder before = ModelFolder.Open(Fixtures.Path("micro-llama"));
        using ModelFolder after = ModelFolder.Open(result);
        Assert.Equal(before.Configuration.ParameterCount, after.Configuration.ParameterCount);
        foreach (ExpectedWeight weight in ExpectedWeight.Of(after.Configuration))
        {
            Assert.NotEqual(Read(before, weight), Read(after, weight));
            Assert.Equal(ElementType.Float32, after.Info(weight.Name).Type);
        }
        Assert.True(losses[^1] < losses[0], $"{losses[0]} to {losses[^1]}");
        Assert.True(File.Exists(Path.Combine(result, "tokenizer.model")));
    }

    [Fact]
    public void AMethodThatNeedsHarmfulSamplesSaysSo()
    {
        using var folders = new TemporaryFolder();

        InputException exception = Assert.Throws<InputException>(
            () => TrainingRun.Create(SmallRun.OptionsFor("tvaccine") with { Settings = MethodSettings.Of(Preset.Paper).With("layers", 2) }, folders.File("run")));

        Assert.Equal("method tvaccine takes harmful samples; expected --harmful-data FILE", exception.Message);
        Assert.False(Directory.Exists(folders.File("run")));
    }

    [Fact]
    public void MoreLayersThanTheModelHasAreRefused()
    {
        using var folders = new TemporaryFolder();

        InputException exception = Assert.Throws<InputException>(
            () => TrainingRun.Create(SmallRun.OptionsFor("tvaccine").With("layers", 5), folders.File("run")));

        Assert.Equal("T-Vaccine cannot choose 5 layers of 4; expected fewer (--layers)", exception.Message);
        Assert.False(Directory.Exists(folders.File("run")));
    }

    private static float[] Read(ModelFolder folder, ExpectedWeight weight)
    {
        float[] values = new float[weight.ElementCount];
        folder.ReadFloat32(weight.Name, values);
        return values;
    }
}
