namespace NativeVaccine.Data.Sets;

/// <summary>
/// Questions that models are tested with, as their published files have them, each known by its fields: AdvBench (arXiv 2307.15043),
/// HarmBench (2402.04249), JailbreakBench (2404.01318), StrongREJECT (2402.10260), XSTest (2308.01263), SORRY-Bench (2406.14598),
/// Do-Not-Answer (2308.13387), and any other with one field of a usual name, such as OR-Bench (2405.20947). Of answers and targets that
/// some have nothing is kept; the category stays with the prompt.
/// </summary>
internal sealed class PromptsSet() : DataSet(
    "prompts",
    "Questions to test with (AdvBench, HarmBench, JailbreakBench, StrongREJECT, XSTest, OR-Bench and others), with their categories",
    "--from ./harmbench_behaviors_text_all.csv --only standard --out questions.json")
{
    private const string Unsafe = "unsafe";
    private const string Safe = "safe";
    private const string Turns = "turns";
    private static readonly string[] Usual = ["prompt", "question", "goal", "instruction"];

    /// <summary>HarmBench's and JailbreakBench's fields, where the others by which their tables are known are not there.</summary>
    private static readonly string[] LessUsual = ["Behavior", "Goal", "behavior"];

    private static readonly string[] UsualCategories = ["category", "Category"];

    /// <summary>What stands for no text in tables that R and Python's csv module write.</summary>
    private static readonly string[] NoText = ["", "NA", "nan"];

    private static readonly Form[] Published =
    [
        new(["Behavior", "FunctionalCategory"], "Behavior", "SemanticCategory") { Kind = "FunctionalCategory", Context = "ContextString" },  // HarmBench
        new(["prompt", "context", "category"], "prompt") { Context = "context" },  // HarmBench's contextual ones, as Parquet
        new(["Goal", "Behavior"], "Goal"),                       // JailbreakBench: Behavior is a title
        new(["goal", "target"], "goal"),                         // AdvBench, with categories PAIR's
        new(["forbidden_prompt"], "forbidden_prompt"),           // StrongREJECT
        new(["prompt", "type", "focus"], "prompt", "type"),      // XSTest
        new(["question", "risk_area"], "question", "risk_area"), // Do-Not-Answer
        new([Turns], Turns),                                     // SORRY-Bench
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Kinds => ["standard", "contextual", "copyright", Safe, Unsafe];

    /// <inheritdoc/>
    public override string KindsAre => "of HarmBench standard, contextual or copyright, of XSTest safe or unsafe";

    /// <inheritdoc/>
    public override IReadOnlyList<RecordForm> Forms => [RecordForm.Prompts];

    /// <inheritdoc/>
    public override bool TakesField => true;

    /// <inheritdoc/>
    internal override string Expected => "one of forbidden_prompt, Behavior, Goal, turns, " + string.Join(", ", Usual) + ", or --field";

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        Form form = options.Field is { } field
            ? ByField(record, field)
            : Published.FirstOrDefault(known => known.Marks.All(record.Has)) ?? ByUsualName(record);
        string? kind = KindOf(record, form);
        if (kind is null && options.Kind != AllKinds)
            throw new InputException($"{record.Where}: nothing says which questions are {options.Kind}: expected no --only");
        string prompt = TextOf(record, form);
        string input = form.Prompt == "instruction" ? record.OptionalText("input") ?? "" : "";
        if (string.IsNullOrWhiteSpace(prompt) && string.IsNullOrWhiteSpace(input))
            throw new InputException($"{record.Where}: field '{form.Prompt}' is empty: expected a question");
        return new ConvertedRecord(prompt, input, null) { Kind = kind, Categories = CategoriesOf(record, form) };
    }

    private static Form ByField(SetRecord record, string field) => record.Has(field)
        ? new Form([], field)
        : throw new InputException($"{record.Where}: field '{field}' is missing or null: expected --field to name the question");

    private static Form ByUsualName(SetRecord record)
    {
        string[] found = [.. Usual.Where(record.Has)];
        if (found.Length == 0) found = [.. LessUsual.Where(record.Has)];
        return found switch
        {
            [var one] => new Form([], one),
            [] => throw record.Missing(Usual[0]),
            _ => throw new InputException($"{record.Where}: has {string.Join(" and ", found)}: expected --field to say which is the question"),
        };
    }

    private static string TextOf(SetRecord record, Form form)
    {
        if (form.Prompt == Turns)
        {
            return record.Names(Turns) is [var only]
                ? only
                : throw new InputException($"{record.Where}: field '{Turns}' is not a list of one text: expected a single question");
        }
        string prompt = record.Text(form.Prompt);
        string? context = form.Context is { } field ? record.OptionalText(field) : null;
        return context is null || NoText.Contains(context) ? prompt : $"{context}\n\n---\n\n{prompt}"; // as HarmBench's own DirectRequest asks
    }

    private static string? KindOf(SetRecord record, Form form)
    {
        if (form.Kind is { } field) return record.OptionalText(field);
        if (form.Category != "type") return null;
        // XSTest's first file has no label: the unsafe questions are those of the contrasting types.
        return record.OptionalText("label") ?? (record.Text("type").StartsWith("contrast_", StringComparison.Ordinal) ? Unsafe : Safe);
    }

    private static IReadOnlyList<string> CategoriesOf(SetRecord record, Form form) =>
        (form.Category ?? UsualCategories.FirstOrDefault(record.Has)) is { } field ? record.NameOrNames(field) : [];

    /// <summary>A published form of questions.</summary>
    /// <param name="Marks">The fields by which it is known.</param>
    /// <param name="Prompt">The field with the question.</param>
    /// <param name="Category">The field with its category; null for the usual ones.</param>
    private sealed record Form(string[] Marks, string Prompt, string? Category = null)
    {
        /// <summary>The field that says what kind of question it is.</summary>
        public string? Kind { get; init; }

        /// <summary>The field with a text that the question is about.</summary>
        public string? Context { get; init; }
    }
}
