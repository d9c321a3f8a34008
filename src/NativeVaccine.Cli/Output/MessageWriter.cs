using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Output;

/// <summary>
/// Writes lines for people about what is going on. A message is one line without control characters, whatever path or text it quotes. When
/// nobody can read any more (a full disk, a terminal that is gone), it goes on in silence: the work is worth more than the words about it.
/// </summary>
internal sealed class MessageWriter(TextWriter inner) : TextWriter
{
    private TextWriter inner = inner;

    /// <inheritdoc/>
    public override Encoding Encoding => inner.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Write(value.ToString());

    /// <summary>Writes as it is: a progress bar moves the cursor with control characters.</summary>
    public override void Write(string? value) => Try(() => inner.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    /// <inheritdoc/>
    public override void WriteLine(string? value)
    {
        string line = InputText.Line(value ?? "");
        Try(() => inner.WriteLine(line));
    }

    /// <inheritdoc/>
    public override void Flush() => Try(inner.Flush);

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException or OutputException)
        {
            inner = Null;
        }
    }
}
