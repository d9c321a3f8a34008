using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Evaluation;

/// <summary>
/// The answers of an evaluation on its way: a file beside its result with a line for what they depend on, and then one for each answer as
/// it comes. A later evaluation of the same goes on after them. Line 1: an object; others: <c>{"index": prompt, "ids": [new tokens]}</c>.
/// </summary>
public sealed class AnswerLog : IDisposable
{
    private readonly Dictionary<int, int[]> answers;
    private readonly LineFile file;

    private AnswerLog(string path, LineFile file, Dictionary<int, int[]> answers) => (Path, this.file, this.answers) = (path, file, answers);

    /// <summary>Its file.</summary>
    public string Path { get; }

    /// <summary>The new tokens of the prompts that are answered, by the prompt's index.</summary>
    public IReadOnlyDictionary<int, int[]> Answers => answers;

    /// <summary>The file that goes with a result; null if that is no file of its own: standard output, a pipe, a device.</summary>
    public static string? PathFor(string result)
    {
        string real = RealPath.Of(result);
        bool isFile = result != "-" && RealPath.Descriptor(real) is null && FileKinds.Of(real) is FileKind.Regular or FileKind.Missing;
        return isFile ? result + ".partial.jsonl" : null;
    }

    /// <summary>Opens the answers that an interrupted evaluation left, or begins anew if it left none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="origin">All that the answers depend on.</param>
    /// <param name="prompts">How many prompts there are.</param>
    /// <param name="vocabularySize">Bounds the tokens.</param>
    /// <exception cref="InputException">There are answers of another evaluation, or the file cannot be read or written.</exception>
    public static AnswerLog Open(string path, JsonObject origin, int prompts, int vocabularySize)
    {
        ReadOnlyMemory<byte> content = File.Exists(path) ? InputFile.ReadText(path) : default;
        var answers = new Dictionary<int, int[]>();
        long good = 0;
        foreach (ReadOnlyMemory<byte> line in WholeLines(content))
        {
            // What a kill or a full disk left half written is made again, and so is all after it.
            if (good == 0) RequireSame(line, origin, path);
            else if (!TryTake(line, answers, prompts, vocabularySize)) break;
            good += line.Length + 1;
        }
        if (good == 0 && !Encoding.UTF8.GetBytes(origin.ToJsonString()).AsSpan().StartsWith(content.Span))
            throw new InputException($"{path}: holds no answers of an evaluation: expected it to be free for them");
        var file = new LineFile(path);
        try
        {
            file.Truncate(good);
            if (good == 0) file.Append(stream => WriteLine(stream, origin));
            return new AnswerLog(path, file, answers);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Keeps an answer.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    public void Append(int index, IReadOnlyList<int> ids)
    {
        answers[index] = [.. ids];
        file.Append(stream => WriteLine(
            stream, new JsonObject { ["index"] = index, ["ids"] = new JsonArray([.. ids.Select(static id => (JsonNode)id)]) }));
    }

    /// <summary>Removes the file: the result has been written.</summary>
    public void Remove()
    {
        file.Dispose();
        try
        {
            File.Delete(Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{Path}: cannot be removed: {InputText.OneLine(exception.Message)}", exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private static IEnumerable<ReadOnlyMemory<byte>> WholeLines(ReadOnlyMemory<byte> content)
    {
        while (content.Span.IndexOf((byte)'\n') is >= 0 and int end)
        {
            yield return content[..end];
            content = content[(end + 1)..];
        }
    }

    private static void RequireSame(ReadOnlyMemory<byte> line, JsonObject origin, string path)
    {
        using JsonDocument document = JsonFile.Parse(line, path);
        JsonRecord.RequireObject(document.RootElement, path);
        var found = JsonObject.Create(document.RootElement)!;
        foreach (string name in origin.Select(static part => part.Key).Union(found.Select(static part => part.Key)))
        {
            if (JsonNode.DeepEquals(found[name], origin[name])) continue;
            string then = found[name]?.ToJsonString() ?? "nothing", now = origin[name]?.ToJsonString() ?? "nothing";
            throw new InputException(
                $"{path}: holds answers of another evaluation, whose {InputText.Shorten(name)} was {InputText.Shorten(then)} and is now "
                + $"{InputText.Shorten(now)}: expected the same command as then, or the file to be removed");
        }
    }

    private static bool TryTake(ReadOnlyMemory<byte> line, Dictionary<int, int[]> answers, int prompts, int vocabularySize)
    {
        try
        {
            using JsonDocument document = JsonFile.Parse(line, "");
            JsonRecord.RequireObject(document.RootElement, "");
            int index = JsonRecord.Integer(JsonRecord.Required(document.RootElement, "index", ""), "index", "");
            int[] ids = JsonRecord.Integers(JsonRecord.Required(document.RootElement, "ids", ""), "ids", "");
            if ((uint)index >= (uint)prompts || ids.Any(id => (uint)id >= (uint)vocabularySize)) return false;
            answers[index] = ids;
            return true;
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static void WriteLine(Stream stream, JsonObject json)
    {
        using (var writer = new Utf8JsonWriter(stream)) json.WriteTo(writer);
        stream.WriteByte((byte)'\n');
    }
}
