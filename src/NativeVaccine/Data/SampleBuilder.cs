using NativeVaccine.Chat;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Data;

/// <summary>Makes training sequences of records, by the rules of the reference (docs/methods.md, "Training").</summary>
public sealed class SampleBuilder
{
    private readonly Tokenizer tokenizer;
    private readonly PromptTemplate template;
    private readonly int maxLength;
    private readonly LabelScope labels;

    /// <summary>A builder of sequences of at most <paramref name="maxLength"/> tokens.</summary>
    /// <exception cref="InputException"><paramref name="maxLength"/> is below 2: nothing could be learnt.</exception>
    public SampleBuilder(Tokenizer tokenizer, PromptTemplate template, int maxLength, LabelScope labels = LabelScope.Answers)
    {
        if (maxLength < 2)
            throw new InputException($"the maximal length is {maxLength} tokens: expected at least 2");
        this.tokenizer = tokenizer;
        this.template = template;
        this.maxLength = maxLength;
        this.labels = labels;
    }

    /// <summary>As <see cref="SampleForm.IsRefusal"/>.</summary>
    public Func<string, bool>? IsRefusal { get; init; }

    /// <summary>How many samples were cut to the maximal length, and so have lost their end.</summary>
    public int CutCount { get; private set; }

    /// <summary>How many samples hold the text of special tokens, which stays text.</summary>
    public int SpecialTextCount { get; private set; }

    /// <summary>How many records of prompt and completion were taken without the template.</summary>
    public int PlainCount { get; private set; }

    /// <summary>How many samples of text have no end token to learn, because the tokenizer or the chat template names none.</summary>
    public int EndlessCount { get; private set; }

    /// <summary>
    /// The sequence for a record, or null if no label is left in it: prompt, output and the end token, cut on the right; the labels of the
    /// first P positions are ignored, where P is the number of tokens of the prompt alone.
    /// </summary>
    /// <remarks>
    /// Prompt and output are joined as text before tokenization, as the reference does; a token across the boundary counts for the prompt
    /// or the output as its position falls. Cutting may drop the end token.
    /// </remarks>
    public Sample? Build(AlpacaRecord record)
    {
        if (template is not ChatTemplate) return BuildText(template.Prompt(record), record.Output);
        List<ChatMessage> prompt = ChatTemplate.Messages(record);
        return Build(new Conversation([.. prompt, new ChatMessage(ChatMessage.Assistant, record.Output)], prompt.Count));
    }

    /// <summary>The sequence for a prompt and what completes it, both as they are, as TRL has it.</summary>
    public Sample? BuildPlain(string prompt, string completion)
    {
        Sample? sample = BuildText(prompt, completion);
        if (sample is not null && template != PromptTemplate.None) PlainCount++;
        return sample;
    }

    /// <summary>
    /// The sequence for a conversation, or null if no label is left in it. Labels are at the answers and at the token that ends each.
    /// </summary>
    /// <exception cref="InputException">The template has no form for it.</exception>
    public Sample? Build(Conversation conversation)
    {
        if (template is not ChatTemplate chat) throw template.NoConversations();
        (int[] ids, bool[] isAnswer) = chat.Encode(conversation, maxLength + 1);
        int[] targets = [.. ids.Select((id, t) => labels == LabelScope.All || isAnswer[t] ? id : Sample.IgnoredLabel)];
        Sample? sample = Trim([(ids, targets)]);
        if (sample is null) return null;
        if (chat.EndId is null) EndlessCount++;
        if (conversation.Messages.Any(message => tokenizer.HoldsSpecialText(message.Content))) SpecialTextCount++;
        return Judged(sample, conversation.Messages.LastOrDefault(static message => message.Role == ChatMessage.Assistant)?.Content ?? "");
    }

    private Sample? BuildText(string prompt, string output)
    {
        // No more than is kept, and one that tells that the sample was cut: a record may be megabytes.
        int promptLength = tokenizer.Encode(prompt, most: maxLength).Length;
        int[] whole = tokenizer.Encode(prompt + output, most: maxLength + 1);
        int[] inputIds = tokenizer.EndOfSequenceId is { } end ? [.. whole, end] : whole;
        Sample? sample = Trim([(inputIds, WithoutPrompt(inputIds, labels == LabelScope.All ? 0 : promptLength))]);
        if (sample is null) return null;
        if (tokenizer.EndOfSequenceId is null) EndlessCount++;
        if (tokenizer.HoldsSpecialText(prompt + output)) SpecialTextCount++;
        return Judged(sample, output);
    }

    /// <summary>
    /// The sample of ready tokens: each part is cut on the right to the maximal length, and left out if it has no label then; null if none
    /// is left. The answer of a part is the text of what is left of its labels; that of a conversation its last one.
    /// </summary>
    public Sample? Build(IReadOnlyList<(int[] Ids, int[] Labels)> parts)
    {
        Sample? sample = Trim(parts);
        if (sample is null || IsRefusal is null) return sample;
        return sample with { Refuses = [.. sample.Split(sample.Labels).Select(each => IsRefusal(TextOf(each)))] };
    }

    private Sample Judged(Sample sample, string answer) => IsRefusal is null ? sample : sample with { Refuses = [IsRefusal(answer)] };

    private string TextOf(int[] targets) => tokenizer.Decode([.. targets.Where(static label => label != Sample.IgnoredLabel)]);

    private Sample? Trim(IReadOnlyList<(int[] Ids, int[] Labels)> parts)
    {
        (int[] Ids, int[] Labels)[] kept =
        [
            .. parts.Select(part => (Ids: part.Ids[..Math.Min(part.Ids.Length, maxLength)], Labels: part.Labels[..Math.Min(part.Ids.Length, maxLength)]))
                .Where(static part => Sample.CountOf(part.Labels) > 0),
        ];
        if (kept.Length == 0) return null;
        if (parts.Any(part => part.Ids.Length > maxLength)) CutCount++;
        return Sample.Of(kept);
    }

    private static int[] WithoutPrompt(int[] inputIds, int promptLength)
    {
        int[] labels = [.. inputIds];
        labels.AsSpan(0, Math.Min(promptLength, labels.Length)).Fill(Sample.IgnoredLabel);
        return labels;
    }
}
