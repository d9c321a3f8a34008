using System.Diagnostics;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli.Experiments;

/// <summary>What is given to Slurm, without a Slurm: tests/slurm.sh has a real one.</summary>
public sealed class SlurmTests : IDisposable
{
    private readonly TemporaryFolder temporary = new();
    private readonly ExperimentFolder folder;
    private readonly List<string> submitted = [];
    private string queued = "";
    private string config = "MaxArraySize            = 1001\n";

    public SlurmTests()
    {
        folder = new ExperimentFolder(temporary.File("it's 100% ours"));
        folder.Create();
    }

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void ArraysWaitForWhatTheyNeedAndForNothingElse()
    {
        Submit(Small());
        Assert.Equal(
            [
                "sbatch --parsable wave1-prepare.sbatch",
                "sbatch --parsable wave1-align.sbatch",
                "sbatch --parsable --dependency=afterany:102 wave2-align.sbatch",
                "sbatch --parsable --dependency=afterany:102:101 wave2-attack.sbatch",
                "sbatch --parsable --dependency=afterany:102 wave2-evaluate.sbatch",
                "sbatch --parsable --dependency=afterany:104 wave3-evaluate.sbatch",
            ],
            submitted);
    }

    [Fact]
    public void LargeArraysAreSplit()
    {
        config = "MaxArraySize            = 1001\n";
        Experiment experiment = Of([.. Enumerable.Range(0, 2500).Select(static i => Job($"a{i}", "align"))]);
        SlurmArray[] arrays = SlurmArray.Of(experiment, static _ => true, new SlurmQueue(Answer).LargestArray());
        Assert.Equal([("wave1-align", 1001), ("wave1-align-2", 1001), ("wave1-align-3", 498)], arrays.Select(static array => (array.Name, array.Jobs.Count)));
        Assert.Equal(experiment.Jobs, arrays.SelectMany(static array => array.Jobs));
        // The largest index is one less than the size.
        Assert.Contains("#SBATCH --array=0-1000\n", new SlurmScript(experiment, folder, []).Of(arrays[0], []), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MaxArraySize            = 11\n", 11)]
    [InlineData("MaxArraySize            = 0\n", 1001)]
    [InlineData("", 1001)]
    public void TheLargestArrayIsAskedFor(string said, int expected)
    {
        config = said;
        Assert.Equal(expected, new SlurmQueue(Answer).LargestArray());
        Assert.Equal(1001, new SlurmQueue(static _ => null).LargestArray());
    }

    [Fact]
    public void WhatIsDoneOrQueuedIsNotSubmittedAgain()
    {
        Experiment experiment = Small();
        Submit(experiment);
        submitted.Clear();
        Done(experiment.Jobs[0]);
        Done(experiment.Jobs[1]);
        // Of 101 nothing is left, of 102 the task of a2; the rest was lost.
        queued = "77 102_1\n";
        SlurmSubmission submission = Submit(experiment);
        Assert.Equal(
            [
                "sbatch --parsable wave1-align.sbatch",
                "sbatch --parsable --dependency=afterany:201 wave2-align.sbatch",
                "sbatch --parsable --dependency=afterany:201:102 wave2-attack.sbatch",
                "sbatch --parsable --dependency=afterany:201 wave2-evaluate.sbatch",
                "sbatch --parsable --dependency=afterany:203 wave3-evaluate.sbatch",
            ],
            submitted);
        Assert.Equal((1, 0), (submission.Queued, submission.Elsewhere));
        Assert.Equal(5, Directory.GetFiles(folder.Inside("slurm"), "*.sbatch").Length);
    }

    [Fact]
    public void WhatIsInSomebodysHandsIsLeftToThem()
    {
        Experiment experiment = Of([Job("a1", "align")]);
        using (folder.TryClaim("a1", out _)) Assert.Equal(1, Submit(experiment).Elsewhere);
        Assert.Empty(submitted);
        Submit(experiment);
        Assert.Single(submitted);
    }

    [Fact]
    public void ARefusalIsOneLineAndWhatWasSubmittedBeforeItIsKnown()
    {
        Experiment experiment = Small();
        var queue = new SlurmQueue(command => submitted.Count == 1 && command[0] == "sbatch"
            ? new ProgramResult(1, "", "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: no more\n")
            : Answer(command));
        InputException exception = Assert.Throws<InputException>(() => Submission(experiment, queue).Run(isDry: false, static (_, _, _) => { }));
        Assert.EndsWith("wave1-align.sbatch': sbatch: error: Batch job submission failed: no more", exception.Message, StringComparison.Ordinal);
        queued = "77 101_0\n78 101_1\n";
        submitted.Clear();
        Assert.Equal(2, Submit(experiment).Queued);
        Assert.DoesNotContain("sbatch --parsable wave1-prepare.sbatch", submitted);
        InputException missing = Assert.Throws<InputException>(() => Submission(experiment, new SlurmQueue(static _ => null)).Run(isDry: false, static (_, _, _) => { }));
        Assert.StartsWith("squeue: there is no such program here", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OptionsAreForAllArraysOrForOneKind()
    {
        Experiment experiment = Small();
        var script = new SlurmScript(experiment, folder, ["--partition=gpu --time=60", "align: --gres=gpu:1", "evaluate:--time=5"]);
        SlurmArray[] arrays = SlurmArray.Of(experiment, static _ => true, 1001);
        Assert.Equal(["--partition=gpu --time=60", "--gres=gpu:1"], More("wave1-align"));
        Assert.Equal(["--partition=gpu --time=60"], More("wave2-attack"));
        Assert.Equal(["--partition=gpu --time=60", "--time=5"], More("wave3-evaluate"));

        string[] More(string name) => [.. script.Of(arrays.Single(array => array.Name == name), []).Split('\n')
            .Where(static line => line.StartsWith("#SBATCH ", StringComparison.Ordinal)).Select(static line => line["#SBATCH ".Length..])
            .SkipWhile(static option => !option.StartsWith("--signal", StringComparison.Ordinal)).Skip(1)
            .Where(static option => !option.StartsWith("--cpus", StringComparison.Ordinal))];
    }

    [Fact]
    public void PathsAreQuotedForSlurmAndForTheShell()
    {
        Experiment experiment = Small() with { Name = "it's mine\n#SBATCH --uid=0" };
        SlurmArray array = SlurmArray.Of(experiment, static _ => true, 1001).First(static array => array.Name == "wave2-attack");
        string[] lines = new SlurmScript(experiment, folder, []).Of(array, []).Split('\n');
        string slurm = temporary.File("it'\\''s 100%% ours", "slurm");
        Assert.Contains($"#SBATCH --output='{slurm}/wave2-attack-%A_%a.log'", lines);
        Assert.DoesNotContain("#SBATCH --uid=0", lines);
        Assert.Contains("#SBATCH --cpus-per-task=3", lines);
        Assert.Equal("    t1  # attack SFT", lines.SkipWhile(static line => line != "jobs=(").ElementAt(1));
        Assert.EndsWith($"experiment job '{temporary.File("it'\\''s 100% ours")}' \"${{jobs[$SLURM_ARRAY_TASK_ID]}}\"", lines[^2], StringComparison.Ordinal);
    }

    [ShellFact]
    public void TheScriptsDoTheExperiment()
    {
        using var small = new SmallExperiment();
        small.Plan["arms"]!.AsArray().RemoveAt(2);
        small.Plan["arms"]!.AsArray().RemoveAt(0);
        small.Plan["axes"] = JsonNode.Parse("""{"poison_ratio": [0.5], "seed": [1]}""");
        string output = small.FileAt("with spaces and a '");
        CommandResult written = CommandLine.Succeed("experiment", "submit", small.PlanFile, "--out", output, "--slurm", "--dry-run", "--sbatch-options", "--time=60");
        string[] commands = written.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("wave1_prepare=$(sbatch --parsable '", commands[0], StringComparison.Ordinal);
        Assert.Equal(commands.Length, Directory.GetFiles(Path.Combine(output, "slurm"), "*.sbatch").Length);

        // The shell that somebody pastes the commands into, with an sbatch that runs a script at once.
        using Process shell = Process.Start(new ProcessStartInfo("bash", ["-ec",
            "sbatch() { [[ $2 == --dependency=afterany:* ]] && shift; SLURM_ARRAY_TASK_ID=0 bash \"$2\" >&2 && echo 7; }\n" + written.Output])
        {
            RedirectStandardError = true,
        })!;
        string error = shell.StandardError.ReadToEnd();
        shell.WaitForExit();
        Assert.True(shell.ExitCode == 0, error);
        CommandLine.Succeed("experiment", "status", output);
        string bySlurm = small.Results(output);
        Assert.Equal(0, small.Run().ExitCode);
        Assert.Equal(small.Results(), bySlurm);
        Assert.Contains("wrote scripts for 0 pieces of work", CommandLine.Succeed("experiment", "submit", small.PlanFile, "--out", output, "--slurm", "--dry-run").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ATaskWhoseNeedsAreMissingSaysSo()
    {
        using var small = new SmallExperiment();
        CommandLine.Succeed("experiment", "jobs", small.PlanFile, "--out", small.Out, "--file", small.FileAt("jobs"));
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(small.Out, "experiment.json")))!;
        string attack = json["jobs"]!.AsArray().Select(static job => job!).Where(static job => (string)job["stage"]! == "attack").Select(static job => (string)job["id"]!).First();
        CommandResult result = CommandLine.Run("experiment", "job", small.Out, attack);
        Assert.Equal(1, result.ExitCode);
        Assert.Matches($"^attack {attack}: needs mix [0-9a-f]{{12}}, which is not done$", result.ErrorLine);
        CommandResult unknown = CommandLine.Run("experiment", "job", small.Out, "nothing");
        Assert.Equal((2, true), (unknown.ExitCode, unknown.ErrorLine.Contains("there is no piece of work 'nothing'", StringComparison.Ordinal)));
    }

    private SlurmSubmission Submit(Experiment experiment)
    {
        SlurmSubmission submission = Submission(experiment, new SlurmQueue(Answer));
        submission.Run(isDry: false, static (_, _, _) => { });
        return submission;
    }

    private SlurmSubmission Submission(Experiment experiment, SlurmQueue queue) => new(experiment, folder, queue, new SlurmScript(experiment, folder, []));

    /// <summary>A Slurm that takes everything; arrays have the numbers 101, 102, ..., and later 201, ...</summary>
    private ProgramResult Answer(IReadOnlyList<string> command)
    {
        switch (command[0])
        {
            case "scontrol":
                return new ProgramResult(0, $"Configuration data as of today\nClusterName = c\n{config}", "");
            case "squeue":
                return new ProgramResult(0, queued, "");
            default:
                submitted.Add(string.Join(' ', command.Select(static word => word.EndsWith(".sbatch", StringComparison.Ordinal) ? Path.GetFileName(word) : word)));
                Assert.True(File.Exists(command[^1]));
                return new ProgramResult(0, $"{(queued.Length > 0 ? 200 : 100) + submitted.Count};c\n", "");
        }
    }

    private void Done(ExperimentJob job)
    {
        Directory.CreateDirectory(folder.Inside(job.Output));
        folder.Record(job, new JobStatus(JobState.Done));
    }

    /// <summary>Mixtures m1 and m2; alignments a1 and a2, and b1 from a1's; attacks on a1 and a2; looks at a1 and at its attack.</summary>
    private static Experiment Small() => Of(
    [
        Job("m1", "mix"), Job("m2", "mix"), Job("a1", "align"), Job("a2", "align"), Job("b1", "align", "a1"),
        Job("t1", "attack", "a1", "m1") with { Options = ["--threads=3"] }, Job("t2", "attack", "a2", "m2"), Job("h0", "harmful", "a1"), Job("h1", "harmful", "t1"),
    ]);

    private static Experiment Of(ExperimentJob[] jobs) => new("test", "plan.json", ["method"], "SFT", jobs,
        [new GridCell(new Dictionary<string, JsonNode> { ["method"] = "SFT" }, jobs.ToDictionary(static job => job.Id, static job => job.Id))]);

    private static ExperimentJob Job(string id, string stage, params string[] needs) => new(id, stage, [stage], [], $"runs/{id}", needs);
}
