using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.IO;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Text_is_written_without_a_byte_order_mark_and_replaces_what_was_there()
    {
        string path = folder.File("a.txt");
        AtomicFile.WriteAllText(path, "old");
        AtomicFile.WriteAllText(path, "nö");
        Assert.Equal("nö"u8.ToArray(), File.ReadAllBytes(path));
        AssertAlone(path);
    }

    /// <summary>The system's own error of a full disk: Linux has a device that always gives it.</summary>
    [Fact]
    public void A_full_disk_is_one_line_and_the_old_file_stays()
    {
        if (!OperatingSystem.IsLinux()) return;
        string path = folder.File("a.txt");
        File.WriteAllText(path, "old");
        Refusal.Of(() => AtomicFile.Write(path, static stream =>
        {
            stream.Write("new"u8);
            using FileStream full = File.OpenWrite("/dev/full");
            full.Write("x"u8);
            full.Flush();
        }), $"{path}: the disk is full");
        Assert.Equal("old", File.ReadAllText(path));
        AssertAlone(path);
    }

    /// <summary>The space is asked for first, so a model that does not fit is refused before anything is computed.</summary>
    [Fact]
    public void A_tensor_larger_than_the_disk_is_refused_at_once()
    {
        string path = folder.File("a.safetensors");
        File.WriteAllText(path, "old");
        var huge = new TensorToWrite("w", ElementType.Float32, [1L << 30, 1L << 20], static (_, _) => Assert.Fail("too late"));
        Refusal.Of(() => SafetensorsWriter.Write(path, [huge]), path);
        Assert.Equal("old", File.ReadAllText(path));
        AssertAlone(path);
    }

    [Fact]
    public void An_exception_of_the_writer_passes_and_leaves_the_old_file()
    {
        string path = folder.File("a.txt");
        File.WriteAllText(path, "old");
        Assert.Throws<OperationCanceledException>(() => AtomicFile.Write(path, static stream =>
        {
            stream.Write("new"u8);
            throw new OperationCanceledException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        AssertAlone(path);
    }

    [Fact]
    public void A_missing_folder_is_one_line() =>
        Refusal.Of(() => AtomicFile.WriteAllText(folder.File("none", "a.txt"), "x"), folder.File("none", "a.txt"), "cannot be written");

    [Fact]
    public void An_updated_folder_keeps_all_old_files_if_one_new_file_fails()
    {
        string path = folder.File("f");
        AtomicFolder.Update(path, static temporary => File.WriteAllText(Path.Combine(temporary, "a"), "old"));
        Assert.Throws<OperationCanceledException>(() => AtomicFolder.Update(path, static temporary =>
        {
            File.WriteAllText(Path.Combine(temporary, "a"), "new");
            throw new OperationCanceledException();
        }));
        Assert.Equal("old", File.ReadAllText(Path.Combine(path, "a")));
        AssertAlone(path);
    }

    private void AssertAlone(string path) => Assert.Equal([path], Directory.GetFileSystemEntries(folder.Root));
}
