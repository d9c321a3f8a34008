using NativeVaccine.IO;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.Training;

namespace NativeVaccine.Tests.IO;

/// <summary>What a file system without room leaves: one line, the old files, and no part of a new one.</summary>
public sealed class FullDiskTests
{
    [SmallDiskFact]
    public void A_file_is_refused_and_the_old_one_stays()
    {
        using SmallDisk disk = SmallDisk.Mount();
        string path = Path.Combine(disk.Root, "a.txt");
        File.WriteAllText(path, "old");
        disk.FillUpTo(free: 8 << 10);

        Refusal.Of(() => AtomicFile.WriteAllBytes(path, new byte[64 << 10]), $"{path}: the disk is full; nothing was written");
        Refusal.Of(
            () => AtomicFile.Write(path, static stream => stream.WriteByte(1), expectedLength: 64 << 10),
            $"{path}: the disk is full; nothing was written");

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["a.txt", "filler"], Names(disk.Root));
    }

    [SmallDiskFact]
    public void Merge_leaves_no_part_of_a_model()
    {
        using SmallDisk disk = SmallDisk.Mount();
        disk.FillUpTo(free: 24 << 10);
        string result = Path.Combine(disk.Root, "merged");

        CommandResult run = CommandLine.Run(
            "merge", "--model", Fixtures.Path("tiny-llama"), "--adapter", Fixtures.Path("adapter-qv"), "--out", result);

        Assert.NotEqual(0, run.ExitCode);
        AssertSaysSo(run);
        Assert.Equal(["filler"], Names(disk.Root));
    }

    [SmallDiskFact]
    public void A_run_stops_with_a_line_and_has_no_part_of_a_result()
    {
        using SmallDisk disk = SmallDisk.Mount();
        disk.FillUpTo(free: 16 << 10);
        string result = Path.Combine(disk.Root, "run");

        CommandResult run = CommandLine.Run(
            "align", "--model", Fixtures.Path("micro-llama"), "--data", SmallRun.SampleFile + "#align", "--method", "sft", "--out", result,
            "--batch", "2", "--epochs", "2", "--checkpoint-every", "1");

        Assert.NotEqual(0, run.ExitCode);
        AssertSaysSo(run);
        Assert.DoesNotContain(Names(result), static name => name is "adapter" or "report.html" || name!.EndsWith(".partial", StringComparison.Ordinal));
        Assert.DoesNotContain(Names(Path.Combine(result, "checkpoints")), static name => name!.EndsWith(".partial", StringComparison.Ordinal));
    }

    /// <summary>In the last line; those before tell what was being done.</summary>
    private static void AssertSaysSo(CommandResult run)
    {
        string last = run.Error.TrimEnd().Split('\n')[^1];
        Assert.StartsWith("error: ", last, StringComparison.Ordinal);
        Assert.EndsWith(": the disk is full; nothing was written", last, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    private static IEnumerable<string?> Names(string folder) => Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order();
}
