namespace NativeVaccine.Data;

/// <summary>Which tokens of a record of text carry labels.</summary>
public enum LabelScope
{
    /// <summary>The answers, each with the token that ends it.</summary>
    Answers,

    /// <summary>All of them, the prompt's too.</summary>
    All,
}
