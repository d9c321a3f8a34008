namespace NativeVaccine.IO;

/// <summary>Folders of several files that appear as a whole or not at all. Where a path leads through a link, the folder behind it is meant.</summary>
public static class AtomicFolder
{
    /// <summary>
    /// Creates the folder <paramref name="path"/> with what <paramref name="write"/> puts into the temporary folder that it is given. An
    /// empty folder that is there already is filled: it may be another disk, or the folder that the user's shell is in.
    /// </summary>
    /// <exception cref="InputException">The folder exists and is not empty, or cannot be written.</exception>
    public static void Create(string path, Action<string> write) => Guard(path, () =>
    {
        string real = Real(path);
        RemoveDead(real);
        RequireEmpty(path, real);
        Build(real, write);
    });

    /// <summary>
    /// Replaces files of the folder <paramref name="path"/> (created if missing) by those that <paramref name="write"/> puts into the
    /// temporary folder that it is given. All of them are complete before the first one takes its place; other files stay.
    /// </summary>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static void Update(string path, Action<string> write) => Guard(path, () =>
    {
        string real = Real(path);
        RemoveDead(real);
        Build(real, write);
    });

    /// <summary>
    /// Throws unless <paramref name="path"/> is missing or an empty folder, and can be written: for refusing before long work. Leaves no
    /// trace, and removes what a killed process left of the same folder.
    /// </summary>
    /// <exception cref="InputException">Something is there, or the folder cannot be made.</exception>
    public static void RequireFree(string path) => Guard(path, () =>
    {
        string real = Real(path);
        RequireEmpty(path, real);
        RemoveDead(real);
        string nearest = real;
        while (!Directory.Exists(nearest) && Path.GetDirectoryName(nearest) is { } parent) nearest = parent;
        string temporary = TemporaryName.In(nearest, real);
        try
        {
            Directory.CreateDirectory(temporary);
        }
        finally
        {
            TemporaryName.Remove(temporary);
        }
    });

    /// <summary>The folder that a path leads to, there or not yet.</summary>
    public static string Real(string path) => Path.TrimEndingDirectorySeparator(RealPath.Of(path));

    private static void RequireEmpty(string path, string real)
    {
        if (FileKinds.Of(real) is not FileKind.Missing and not FileKind.Folder)
            throw new InputException($"{path}: is a file; expected a folder that does not exist yet");
        if (TemporaryName.IsBeingWritten(real, real))
            throw new InputException($"{path}: another process is writing there; expected a folder that is not in use");
        if (Directory.Exists(real) && Directory.EnumerateFileSystemEntries(real).Any(entry => !TemporaryName.IsOf(entry, real)))
            throw new InputException($"{path}: the output folder is not empty; expected a new or empty one");
    }

    private static void Build(string real, Action<string> write)
    {
        // In a folder that is there, the temporary one is on its disk for sure.
        bool isThere = Directory.Exists(real);
        string temporary = isThere ? TemporaryName.In(real, real) : TemporaryName.For(real);
        try
        {
            Directory.CreateDirectory(temporary);
            write(temporary);
            if (isThere) MoveInto(real, temporary);
            else Directory.Move(temporary, real);
        }
        finally
        {
            TemporaryName.Remove(temporary);
        }
    }

    private static void MoveInto(string folder, string temporary)
    {
        foreach (string entry in Directory.GetFileSystemEntries(temporary))
        {
            string place = Path.Combine(folder, Path.GetFileName(entry));
            if (Directory.Exists(entry)) Directory.Move(entry, place);
            else File.Move(entry, place, overwrite: true);
        }
    }

    private static void RemoveDead(string real)
    {
        TemporaryName.RemoveDead(Path.GetDirectoryName(real) ?? real, real);
        TemporaryName.RemoveDead(real, real);
    }

    private static void Guard(string path, Action work)
    {
        try
        {
            work();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.CannotWrite(path, exception);
        }
    }
}
