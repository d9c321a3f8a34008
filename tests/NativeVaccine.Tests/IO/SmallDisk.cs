using System.Diagnostics;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.IO;

/// <summary>A file system of its own that holds 256 KiB; only Linux makes one so easily, and only for root.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TemporaryFolder mountPoint = new();

    private SmallDisk()
    {
    }

    /// <summary>Why there cannot be one here; null where there can.</summary>
    public static string? Obstacle { get; } = FindObstacle();

    public string Root => mountPoint.Root;

    public static SmallDisk Mount()
    {
        var disk = new SmallDisk();
        if (Run("mount", "-t", "tmpfs", "-o", "size=256k", "none", disk.Root)) return disk;
        disk.mountPoint.Dispose();
        throw new InvalidOperationException("no tmpfs could be mounted");
    }

    /// <summary>Leaves room for this many bytes.</summary>
    public void FillUpTo(int free) =>
        System.IO.File.WriteAllBytes(Path.Combine(Root, "filler"), new byte[(256 << 10) - free]);

    public void Dispose()
    {
        Run("umount", Root);
        mountPoint.Dispose();
    }

    private static string? FindObstacle()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root") return "needs Linux and root, to mount a file system of 256 KiB";
        try
        {
            Mount().Dispose();
            return null;
        }
        catch (Exception exception) when (exception is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return $"root may not mount a file system here: {exception.Message}";
        }
    }

    private static bool Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}

/// <summary>A test on a really full disk; skipped where none can be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute()
    {
        if (SmallDisk.Obstacle is { } obstacle) Skip = obstacle;
    }
}
