using System.Runtime.InteropServices;

namespace NativeVaccine.IO;

/// <summary>What a path leads to.</summary>
internal enum FileKind
{
    Missing,
    Regular,
    Folder,

    /// <summary>A named pipe, or a socket.</summary>
    Pipe,

    /// <summary>A terminal, a disk, /dev/null.</summary>
    Device,
}

/// <summary>Asks the system what a path leads to, through links. .NET takes pipes and devices for files, and would open or replace them.</summary>
internal static partial class FileKinds
{
    private const int CurrentFolder = -100;  // AT_FDCWD
    private const uint TypeModeAndOwner = 0x1 | 0x2 | 0x8 | 0x10;  // STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID
    private const int NoSuchFile = 2;
    private const int NotAFolder = 20;

    /// <summary>The kind; <see cref="FileKind.Regular"/> for what cannot be asked about, so that opening it tells why.</summary>
    public static FileKind Of(string path)
    {
        if (!OperatingSystem.IsLinux()) return Guess(path);
        try
        {
            Status status = default;
            if (Statx(CurrentFolder, path, 0, TypeModeAndOwner, ref status) == 0) return KindOf(status.Mode);
            return Marshal.GetLastPInvokeError() is NoSuchFile or NotAFolder ? FileKind.Missing : FileKind.Regular;
        }
        catch (Exception exception) when (exception is EntryPointNotFoundException or DllNotFoundException)
        {
            return Guess(path);  // a C library from before 2018
        }
    }

    /// <summary>True for a pipe or a socket.</summary>
    public static bool IsPipe(string path) => Of(path) == FileKind.Pipe;

    /// <summary>Gives a new file the owner of the one that it will replace, as far as this process may.</summary>
    public static void CopyOwner(string from, string to)
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            Status old = default;
            Status made = default;
            bool areKnown = Statx(CurrentFolder, from, 0, TypeModeAndOwner, ref old) == 0 && Statx(CurrentFolder, to, 0, TypeModeAndOwner, ref made) == 0;
            if (areKnown && (old.User, old.Group) != (made.User, made.Group)) _ = ChangeOwner(to, old.User, old.Group);
        }
        catch (Exception exception) when (exception is EntryPointNotFoundException or DllNotFoundException)
        {
            // The file keeps the owner that it was made with.
        }
    }

    private static FileKind KindOf(ushort mode) => (mode & 0xF000) switch
    {
        0x4000 => FileKind.Folder,
        0x1000 or 0xC000 => FileKind.Pipe,
        0x2000 or 0x6000 => FileKind.Device,
        _ => FileKind.Regular,
    };

    private static FileKind Guess(string path)
    {
        if (Directory.Exists(path)) return FileKind.Folder;
        bool isDevice = path.StartsWith("/dev/", StringComparison.Ordinal) || path.StartsWith(@"\\.\", StringComparison.Ordinal);
        return isDevice ? FileKind.Device : File.Exists(path) ? FileKind.Regular : FileKind.Missing;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref Status status);

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);

    /// <summary>The part of <c>struct statx</c> that is asked for; its layout is the same on every machine.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(20)]
        public uint User;

        [FieldOffset(24)]
        public uint Group;

        [FieldOffset(28)]
        public ushort Mode;
    }
}
