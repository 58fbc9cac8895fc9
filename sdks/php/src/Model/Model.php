<?php

declare(strict_types=1);

namespace InnoAI\Model;

use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Secret;

/**
 * A JSON object that the server answered, with the server's own names.
 *
 * No answer is refused as a whole: a member that this version does not know is read as any other (`$key->colour`), and
 * one that is missing, or of another type than declared, is an UnreadableAnswer when it is read and not before.
 * `toArray()` has all of them as they came.
 *
 * Members that are secrets are read by their name as well, and are in nothing else: no dump, no JSON, no
 * serialization, not in `toArray()`.
 */
abstract class Model implements \JsonSerializable
{
    /** Names of the members that are secrets. */
    protected const SECRETS = [];

    /** @var \WeakMap<self, array<string, mixed>>|null what came, beside the objects so that no dump finds it */
    private static ?\WeakMap $received = null;

    /** @param array<string, mixed> $members */
    final private function __construct(#[\SensitiveParameter] array $members)
    {
        $this->take($members);
    }

    /** @param array<string, mixed> $members */
    final public static function from(#[\SensitiveParameter] array $members): static
    {
        return new static($members);
    }

    /** A member that is secret or not declared here; a declared one is asked of this when it does not fit. */
    public function __get(string $name): mixed
    {
        $members = self::$received[$this] ?? [];
        if (Shape::of(static::class)->declares($name)) {
            $found = array_key_exists($name, $members) ? 'is of another type' : 'is missing';
            throw new UnreadableAnswer(static::class . ": the answer's member '{$name}' {$found}.");
        }
        if (!array_key_exists($name, $members) && !in_array($name, static::SECRETS, true)) {
            trigger_error(static::class . ": the answer has no member '{$name}'", E_USER_WARNING);
        }
        return $members[$name] ?? null;
    }

    public function __isset(string $name): bool
    {
        return isset((self::$received[$this] ?? [])[$name]);
    }

    /**
     * The object as it came, without its secrets.
     *
     * @return array<string, mixed>
     */
    public function toArray(): array
    {
        return array_diff_key(self::$received[$this] ?? [], array_flip(static::SECRETS));
    }

    public function jsonSerialize(): object
    {
        return (object) $this->toArray();
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        $present = array_intersect(static::SECRETS, array_keys(self::$received[$this] ?? []));
        return [...$this->toArray(), ...array_fill_keys($present, Secret::HIDDEN)];
    }

    /** @return array<string, mixed> */
    public function __serialize(): array
    {
        return $this->toArray();
    }

    /** @param array<string, mixed> $members */
    public function __unserialize(array $members): void
    {
        $this->take($members);
    }

    private function __clone()
    {
    }

    /** @param array<string, mixed> $members */
    private function take(#[\SensitiveParameter] array $members): void
    {
        self::$received ??= new \WeakMap();
        self::$received[$this] = $members;
        Shape::of(static::class)->fill($this, $members);
    }
}
