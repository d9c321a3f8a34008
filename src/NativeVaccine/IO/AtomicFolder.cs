namespace NativeVaccine.IO;

/// <summary>Folders of several files that appear as a whole or not at all.</summary>
public static class AtomicFolder
{
    /// <summary>
    /// Creates the folder <paramref name="path"/> with what <paramref name="write"/> puts into the temporary folder that it is given.
    /// </summary>
    /// <exception cref="InputException">The folder exists and is not empty, or cannot be written.</exception>
    public static void Create(string path, Action<string> write)
    {
        string full = FullPath(path);
        RequireFree(full);
        Build(full, write, temporary =>
        {
            if (Directory.Exists(full)) Directory.Delete(full);
            Directory.Move(temporary, full);
        });
    }

    /// <summary>
    /// Replaces files of the folder <paramref name="path"/> (created if missing) by those that <paramref name="write"/> puts into the
    /// temporary folder that it is given. All of them are complete before the first one takes its place; other files stay.
    /// </summary>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static void Update(string path, Action<string> write)
    {
        string full = FullPath(path);
        Build(full, write, temporary =>
        {
            if (!Directory.Exists(full))
            {
                Directory.Move(temporary, full);
                return;
            }
            foreach (string file in Directory.GetFiles(temporary))
                File.Move(file, Path.Combine(full, Path.GetFileName(file)), overwrite: true);
            Directory.Delete(temporary);
        });
    }

    /// <summary>Throws unless <paramref name="path"/> is missing or an empty folder: for refusing before long work.</summary>
    /// <exception cref="InputException">Something is there.</exception>
    public static void RequireFree(string path)
    {
        if (File.Exists(path)) throw new InputException($"{path}: is a file; expected a folder that does not exist yet");
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new InputException($"{path}: the output folder is not empty; expected a new or empty one");
    }

    private static void Build(string full, Action<string> write, Action<string> putIntoPlace)
    {
        string temporary = AtomicFile.TemporaryNameFor(full);
        try
        {
            Directory.CreateDirectory(temporary);
            write(temporary);
            putIntoPlace(temporary);
        }
        catch (Exception exception)
        {
            RemoveQuietly(temporary);
            if (exception is IOException or UnauthorizedAccessException) throw AtomicFile.CannotWrite(full, exception);
            throw;
        }
    }

    private static string FullPath(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private static void RemoveQuietly(string path)
    {
        try
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The first failure is the one to report.
        }
    }
}
