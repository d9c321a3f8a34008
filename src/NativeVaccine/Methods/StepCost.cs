namespace NativeVaccine.Methods;

/// <summary>What a method says of the cost of its steps before a run.</summary>
/// <param name="Lines">For people.</param>
/// <param name="Numbers">For programs, by name.</param>
public sealed record StepCost(IReadOnlyList<string> Lines, IReadOnlyDictionary<string, double> Numbers);
