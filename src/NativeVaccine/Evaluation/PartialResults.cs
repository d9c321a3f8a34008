using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Evaluation;

/// <summary>What an evaluation finds of each of its questions: the name of its field in a line, and how it stands there.</summary>
/// <param name="Name">The field.</param>
/// <param name="Write">Its value.</param>
/// <param name="Read">Reads it again; <see cref="InputException"/> or null where it cannot be one.</param>
public sealed record PartialField<T>(string Name, Func<T, JsonNode> Write, Func<JsonElement, T?> Read) where T : class;

/// <summary>What may be kept.</summary>
public static class PartialField
{
    /// <summary>The new tokens of an answer.</summary>
    /// <param name="vocabularySize">Bounds them.</param>
    public static PartialField<int[]> NewTokens(int vocabularySize) => new(
        "ids",
        static ids => new JsonArray([.. ids.Select(static id => (JsonNode)id)]),
        value => JsonRecord.Integers(value, "ids", "") is var ids && ids.All(id => (uint)id < (uint)vocabularySize) ? ids : null);

    /// <summary>The log-likelihoods of the choices of a question.</summary>
    public static PartialField<double[]> LogLikelihoods { get; } = new(
        "log_likelihoods",
        static values => new JsonArray([.. values.Select(static value => (JsonNode)value)]),
        static value => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(static one => one.ValueKind == JsonValueKind.Number)
            ? [.. value.EnumerateArray().Select(static one => one.GetDouble())]
            : null);
}

/// <summary>
/// The results of an evaluation on its way: a file beside the whole result with a line for what they depend on, and then one for each
/// question as it is done. A later evaluation of the same goes on after them. Line 1: an object; others, where the results are tokens:
/// <c>{"index": question, "ids": [new tokens]}</c>.
/// </summary>
public sealed class PartialResults<T> : IDisposable where T : class
{
    private readonly Dictionary<int, T> results;
    private readonly PartialField<T> field;
    private readonly LineFile file;

    internal PartialResults(string path, PartialField<T> field, LineFile file, Dictionary<int, T> results) =>
        (Path, this.field, this.file, this.results) = (path, field, file, results);

    /// <summary>Its file.</summary>
    public string Path { get; }

    /// <summary>The results of the questions that are done, by the question's index.</summary>
    public IReadOnlyDictionary<int, T> Results => results;

    /// <summary>Keeps a result.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    public void Append(int index, T result)
    {
        results[index] = result;
        file.Append(stream => PartialResults.WriteLine(stream, new JsonObject { ["index"] = index, [field.Name] = field.Write(result) }));
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
}

/// <summary>Where they are kept, and taking them up again.</summary>
public static class PartialResults
{
    /// <summary>The file that goes with a result; null if that is no file of its own: standard output, a pipe, a device.</summary>
    public static string? PathFor(string result)
    {
        string real = RealPath.Of(result);
        bool isFile = result != "-" && RealPath.Descriptor(real) is null && FileKinds.Of(real) is FileKind.Regular or FileKind.Missing;
        return isFile ? result + ".partial.jsonl" : null;
    }

    /// <summary>Opens the results that an interrupted evaluation left, or begins anew if it left none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="origin">All that the results depend on.</param>
    /// <param name="questions">How many questions there are.</param>
    /// <param name="field">What is kept of each.</param>
    /// <exception cref="InputException">There are results of another evaluation, or the file cannot be read or written.</exception>
    public static PartialResults<T> Open<T>(string path, JsonObject origin, int questions, PartialField<T> field) where T : class
    {
        ReadOnlyMemory<byte> content = File.Exists(path) ? InputFile.ReadText(path) : default;
        var results = new Dictionary<int, T>();
        long good = 0;
        foreach (ReadOnlyMemory<byte> line in WholeLines(content))
        {
            // What a kill or a full disk left half written is made again, and so is all after it.
            if (good == 0) RequireSame(line, origin, path);
            else if (!TryTake(line, results, questions, field)) break;
            good += line.Length + 1;
        }
        if (good == 0 && !Encoding.UTF8.GetBytes(origin.ToJsonString()).AsSpan().StartsWith(content.Span))
            throw new InputException($"{path}: holds no results of an evaluation: expected it to be free for them");
        var file = new LineFile(path);
        try
        {
            file.Truncate(good);
            if (good == 0) file.Append(stream => WriteLine(stream, origin));
            return new PartialResults<T>(path, field, file, results);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

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
        RequireSame("", JsonObject.Create(document.RootElement), origin, path);
    }

    /// <summary>Refuses what differs, by the innermost name: of long lists and many options the first that does.</summary>
    private static void RequireSame(string name, JsonNode? then, JsonNode? now, string path)
    {
        if (JsonNode.DeepEquals(then, now)) return;
        switch (then, now)
        {
            case (JsonObject thenParts, JsonObject nowParts):
                foreach (string part in nowParts.Concat(thenParts).Select(static part => part.Key)) RequireSame(part, thenParts[part], nowParts[part], path);
                break;
            case (JsonArray thenItems, JsonArray nowItems) when thenItems.Count == nowItems.Count:
                for (int i = 0; i < nowItems.Count; i++) RequireSame(name, thenItems[i], nowItems[i], path);
                break;
            default:
                throw new InputException(
                    $"{path}: holds results of another evaluation, whose {InputText.Shorten(name)} was {Text(then)} and is now "
                    + $"{Text(now)}: expected the same command as then, or the file to be removed");
        }

        static string Text(JsonNode? value) => InputText.Shorten(value?.ToJsonString() ?? "nothing");
    }

    private static bool TryTake<T>(ReadOnlyMemory<byte> line, Dictionary<int, T> results, int questions, PartialField<T> field) where T : class
    {
        try
        {
            using JsonDocument document = JsonFile.Parse(line, "");
            JsonRecord.RequireObject(document.RootElement, "");
            int index = JsonRecord.Integer(JsonRecord.Required(document.RootElement, "index", ""), "index", "");
            T? result = field.Read(JsonRecord.Required(document.RootElement, field.Name, ""));
            if ((uint)index >= (uint)questions || result is null) return false;
            results[index] = result;
            return true;
        }
        catch (InputException)
        {
            return false;
        }
    }

    internal static void WriteLine(Stream stream, JsonObject json)
    {
        using (var writer = new Utf8JsonWriter(stream)) json.WriteTo(writer);
        stream.WriteByte((byte)'\n');
    }
}
