using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.IO;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Chat;

/// <summary>
/// A chat template, bound to a tokenizer. The special tokens that the template writes become ids; the text of a special token in what people
/// wrote stays text.
/// </summary>
public sealed class ChatTemplate : PromptTemplate
{
    private readonly ChatForm form;
    private readonly Tokenizer tokenizer;
    private readonly ChatEncoder encoder;

    private ChatTemplate(string name, ChatForm form, Tokenizer tokenizer)
    {
        string begin = tokenizer.BeginOfSequenceId is { } id ? tokenizer.Piece(id) : "";
        (Name, this.form, this.tokenizer) = (name, form.WithTokens(begin, tokenizer.EndOfSequenceText), tokenizer);
        encoder = new ChatEncoder(tokenizer, this.form.Literals);
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <summary>The token that ends an answer; null if none does.</summary>
    public int? EndId => tokenizer.CutAtTokens(form.Assistant.Suffix).Select(static part => part.Id).FirstOrDefault(static id => id is not null);

    /// <summary>The template that a model's folder holds.</summary>
    /// <exception cref="InputException">It holds none, or none that is known.</exception>
    public static ChatTemplate OfModel(string folder, Tokenizer tokenizer)
    {
        ChatForm form = ModelTemplate.Find(folder);
        return new ChatTemplate($"{Chat} ({form.Name})", form, tokenizer);
    }

    /// <summary>The template of a JSON text with prefixes and suffixes.</summary>
    /// <exception cref="InputException">It is broken.</exception>
    internal static ChatTemplate OfJson(string json, Tokenizer tokenizer)
    {
        using JsonDocument document = JsonFile.ParseObject(System.Text.Encoding.UTF8.GetBytes(json), "--template");
        return new ChatTemplate(json, ChatFormReader.Read(document.RootElement, "--template"), tokenizer);
    }

    /// <summary>Reads a JSON file of prefixes and suffixes; its content in one line stands for it from then on.</summary>
    /// <exception cref="InputException">It cannot be read, or is no such file.</exception>
    public static string ReadFile(string path)
    {
        using JsonDocument document = JsonFile.ParseObject(InputFile.ReadText(path), path);
        ChatFormReader.Read(document.RootElement, path);
        return JsonObject.Create(document.RootElement.Clone())!.ToJsonString();
    }

    /// <summary>The text of a conversation; where a user speaks last, with what an answer follows.</summary>
    /// <exception cref="InputException">The template has no place for a message.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages) =>
        string.Concat(ChatRenderer.Render(form, messages, IsPrompt(messages)).Select(static piece => piece.Text));

    /// <summary>The tokens of a conversation; where a user speaks last, with what an answer follows.</summary>
    /// <exception cref="InputException">The template has no place for a message.</exception>
    public int[] Encode(IReadOnlyList<ChatMessage> messages) =>
        encoder.Encode(ChatRenderer.Render(form, messages, IsPrompt(messages)), int.MaxValue).Ids;

    /// <summary>The tokens of a conversation to learn from, and which of them are the answers and their ends.</summary>
    /// <param name="conversation">The conversation.</param>
    /// <param name="most">There may be more tokens, but they may be left out once there are so many.</param>
    internal (int[] Ids, bool[] IsAnswer) Encode(Conversation conversation, int most) =>
        encoder.Encode(ChatRenderer.Render(form, conversation.Messages, isPrompt: false, conversation.PromptCount), most);

    /// <inheritdoc/>
    public override string Prompt(AlpacaRecord record) => Render(Messages(record));

    /// <inheritdoc/>
    public override int[] Encode(Tokenizer ofModel, AlpacaRecord record) => Encode(Messages(record));

    /// <inheritdoc/>
    public override string TextOf(AlpacaRecord record) => string.Join('\n', Messages(record).Select(static message => message.Content));

    /// <inheritdoc/>
    public override string Prompt(string instruction, string input) => Prompt(new AlpacaRecord(instruction, input, ""));

    /// <summary>The conversation that a record's prompt is.</summary>
    internal static List<ChatMessage> Messages(AlpacaRecord record) =>
        [.. record.Earlier, new ChatMessage(ChatMessage.User, None.Prompt(record.Instruction, record.Input))];

    private static bool IsPrompt(IReadOnlyList<ChatMessage> messages) => messages[^1].Role != ChatMessage.Assistant;
}
