using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.Models;

/// <summary>Reads one safetensors file.</summary>
public sealed class SafetensorsReader : TensorFile
{
    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="InputException">Missing, not readable, or not a well-formed safetensors file.</exception>
    public SafetensorsReader(string path) : this(path, new Found())
    {
    }

    private SafetensorsReader(string path, Found found) : base(path, handle => found.Read(handle, path).Tensors) =>
        Metadata = found.Header!.Metadata;

    /// <summary>The strings that the writer left in the header, such as format = pt.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    private sealed class Found
    {
        public SafetensorsHeader? Header { get; private set; }

        public SafetensorsHeader Read(SafeFileHandle handle, string path) => Header = SafetensorsHeader.Read(handle, path);
    }
}
