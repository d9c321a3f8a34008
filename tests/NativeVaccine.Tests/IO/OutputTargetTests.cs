using System.Diagnostics;
using NativeVaccine.IO;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.IO;

/// <summary>Files are written where the user's path leads: through links, into pipes and devices, and nothing but a file is replaced.</summary>
public sealed class OutputTargetTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_link_stays_and_the_file_behind_it_is_written()
    {
        Directory.CreateDirectory(folder.File("real", "deep"));
        File.WriteAllText(folder.File("real", "shared.json"), "old");
        File.CreateSymbolicLink(folder.File("real", "deep", "up.json"), "../shared.json");
        Directory.CreateSymbolicLink(folder.File("short"), "real/deep");
        string link = folder.File("short", "up.json");  // the system's "..", not that of the text of the path

        AtomicFile.RequireWritable(link);
        AtomicFile.WriteAllText(link, "new");

        Assert.Equal("new", File.ReadAllText(folder.File("real", "shared.json")));
        Assert.Equal("../shared.json", new FileInfo(folder.File("real", "deep", "up.json")).LinkTarget);
        Assert.Equal(["deep", "shared.json"], Names("real"));
        Assert.Equal(["up.json"], Names("real", "deep"));
    }

    [Fact]
    public void A_link_to_nothing_makes_the_file_that_it_names()
    {
        File.CreateSymbolicLink(folder.File("link"), "made");
        AtomicFile.WriteAllText(folder.File("link"), "x");
        Assert.Equal("x", File.ReadAllText(folder.File("made")));
        Assert.NotNull(new FileInfo(folder.File("link")).LinkTarget);
    }

    [Fact]
    public void Links_in_a_circle_are_one_line()
    {
        File.CreateSymbolicLink(folder.File("a"), "b");
        File.CreateSymbolicLink(folder.File("b"), "a");
        Refusal.Of(() => AtomicFile.WriteAllText(folder.File("a"), "x"), folder.File("a"), "too many links");
    }

    [Fact]
    public async Task A_pipe_is_written_to_and_stays()
    {
        if (!OperatingSystem.IsLinux()) return;
        string pipe = folder.File("pipe");
        Run("mkfifo", pipe);
        AtomicFile.RequireWritable(pipe);  // without waiting for a reader
        Task<string> reader = Task.Run(() => File.ReadAllText(pipe));
        AtomicFile.WriteAllText(pipe, "through");
        Assert.Equal("through", await reader);
        Assert.Equal(FileKind.Pipe, FileKinds.Of(pipe));
        Assert.Equal(["pipe"], Names());
    }

    [Fact]
    public void A_device_is_written_to_and_stays()
    {
        if (!OperatingSystem.IsLinux() || !TryRun("mknod", folder.File("null"), "c", "1", "3")) return;
        File.CreateSymbolicLink(folder.File("link"), "null");
        AtomicFile.WriteAllText(folder.File("link"), "gone");
        Assert.Equal(FileKind.Device, FileKinds.Of(folder.File("null")));
        Assert.Equal(["link", "null"], Names());
    }

    [Fact]
    public void An_open_file_by_its_number_is_written_to_where_it_stands()
    {
        if (!OperatingSystem.IsLinux()) return;
        using (var open = new FileStream(folder.File("log"), FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
        {
            File.CreateSymbolicLink(folder.File("link"), $"/proc/self/fd/{open.SafeFileHandle.DangerousGetHandle()}");
            AtomicFile.WriteAllText(folder.File("link"), "a result");
        }
        Assert.Equal("a result", File.ReadAllText(folder.File("log")));
        Assert.Equal(["link", "log"], Names());
    }

    [Fact]
    public void A_replaced_file_keeps_its_rights()
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite;
        File.WriteAllText(folder.File("a"), "old");
        File.SetUnixFileMode(folder.File("a"), Mine);
        AtomicFile.WriteAllText(folder.File("a"), "new");
        Assert.Equal(Mine, File.GetUnixFileMode(folder.File("a")));
    }

    [Fact]
    public void A_folder_is_no_file_to_write()
    {
        Refusal.Of(() => AtomicFile.RequireWritable(folder.Root), folder.Root, "is a folder; expected a file to write");
        Refusal.Of(() => AtomicFile.WriteAllText(folder.Root, "x"), folder.Root, "is a folder; expected a file to write");
    }

    [Fact]
    public void A_result_that_cannot_be_written_is_noticed_before_the_work()
    {
        string nowhere = folder.File("none", "loss.json");
        CommandResult result = CommandLine.Run("tokenize", "--model", "no-such-model", "--text", "x", "--json", nowhere);
        Assert.Equal(2, result.ExitCode);
        Assert.Equal($"error: {nowhere}: cannot be written: its folder does not exist", result.ErrorLine);
        Assert.Empty(Names());
    }

    [Fact]
    public void A_dash_is_the_standard_output_which_has_nothing_else_then()
    {
        CommandResult result = CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--text", "x", "--json", "-");
        Assert.StartsWith("[", result.Output, StringComparison.Ordinal);
        CommandResult plan = CommandLine.Succeed("plan", "--model", Fixtures.Path("tiny-llama"), "--json", "-");
        Assert.True(System.Text.Json.Nodes.JsonNode.Parse(plan.Output)!["fits"]!.GetValue<bool>());
        Assert.Empty(plan.Error);
    }

    [Fact]
    public void A_folder_behind_a_link_is_filled_and_the_link_stays()
    {
        Directory.CreateDirectory(folder.File("big"));
        Directory.CreateSymbolicLink(folder.File("out"), "big");
        Directory.CreateSymbolicLink(folder.File("later"), "made");
        foreach (string name in new[] { "out", "later" })
        {
            AtomicFolder.RequireFree(folder.File(name));
            AtomicFolder.Create(folder.File(name), static temporary =>
            {
                File.WriteAllText(Path.Combine(temporary, "a"), "x");
                Directory.CreateDirectory(Path.Combine(temporary, "b"));
            });
            Assert.NotNull(new FileInfo(folder.File(name)).LinkTarget);
        }
        Assert.Equal(["a", "b"], Names("big"));
        Assert.Equal(["a", "b"], Names("made"));
        Assert.Equal(["big", "later", "made", "out"], Names());
    }

    [SmallDiskFact]
    public void A_folder_on_another_disk_is_filled()
    {
        using SmallDisk disk = SmallDisk.Mount();  // an empty folder that can be neither removed nor renamed over
        AtomicFolder.Create(disk.Root, static temporary => File.WriteAllText(Path.Combine(temporary, "a"), "x"));
        Assert.Equal(["a"], Directory.GetFileSystemEntries(disk.Root).Select(Path.GetFileName));
    }

    [Fact]
    public void What_killed_processes_left_is_removed_by_the_next_and_nothing_else()
    {
        string mine = Path.GetFileName(TemporaryName.For(folder.File("a")));
        string owner = mine[".a.".Length..];
        string dead = owner.Replace($"-{Environment.ProcessId}-", "-2000000000-", StringComparison.Ordinal);
        File.WriteAllText(folder.File(mine), "being written");
        File.WriteAllText(folder.File($".a.{dead}"), "left");
        File.WriteAllText(folder.File($".a.b.{dead}"), "another's");
        File.WriteAllText(folder.File(".a.notes.partial"), "the user's");
        Directory.CreateDirectory(folder.File($".m.{dead}"));
        File.WriteAllText(folder.File($".m.{dead}", "x"), "left");
        File.WriteAllText(folder.File("precious"), "x");
        File.CreateSymbolicLink(folder.File($".a.{dead.Replace("-2000000000-", "-2000000001-", StringComparison.Ordinal)}"), "precious");

        AtomicFile.WriteAllText(folder.File("a"), "x");
        AtomicFolder.RequireFree(folder.File("m"));

        Assert.DoesNotContain($".a.{dead}", Names());
        Assert.DoesNotContain($".m.{dead}", Names());
        Assert.Contains(mine, Names());
        Assert.Equal(6, Names().Count());
        Assert.True(File.Exists(folder.File("precious")));
    }

    [Fact]
    public void A_folder_that_another_process_fills_is_refused()
    {
        string out1 = folder.File("out");
        Directory.CreateDirectory(out1);
        Directory.CreateDirectory(TemporaryName.In(out1, out1));
        Refusal.Of(() => AtomicFolder.RequireFree(out1), out1, "another process is writing there");
    }

    [Fact]
    public void A_very_long_name_can_be_written()
    {
        string path = folder.File(new string('n', 250));
        AtomicFile.WriteAllText(path, "x");
        Assert.Equal("x", File.ReadAllText(path));
    }

    private static void Run(string program, params string[] arguments) => Assert.True(TryRun(program, arguments));

    private static bool TryRun(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private IEnumerable<string?> Names(params string[] parts) =>
        Directory.GetFileSystemEntries(folder.File(parts)).Select(Path.GetFileName).Order(StringComparer.Ordinal);
}
