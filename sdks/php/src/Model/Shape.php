<?php

declare(strict_types=1);

namespace InnoAI\Model;

/**
 * The declared properties of a model, and how they are filled from JSON.
 *
 * @internal
 */
final class Shape
{
    /** @var array<class-string<Model>, self> */
    private static array $shapes = [];

    /** @var array<string, array{type: string, nullable: bool, items: class-string<Model>|null}> */
    private array $properties = [];
    private readonly \Closure $assign;

    /** @param class-string<Model> $class */
    private function __construct(string $class)
    {
        foreach ((new \ReflectionClass($class))->getProperties(\ReflectionProperty::IS_PUBLIC) as $property) {
            $type = $property->getType();
            $items = $property->getAttributes(ListOf::class)[0] ?? null;
            $this->properties[$property->getName()] = [
                'type' => $type instanceof \ReflectionNamedType ? $type->getName() : 'mixed',
                'nullable' => $type?->allowsNull() ?? true,
                'items' => $items?->newInstance()->class,
            ];
        }
        // Only code of the class itself may fill its readonly properties. One that is unset is asked of __get.
        $assign = function (#[\SensitiveParameter] array $values, array $absent): void {
            foreach ($values as $name => $value) {
                $this->{$name} = $value;
            }
            foreach ($absent as $name) {
                unset($this->{$name});
            }
        };
        $this->assign = $assign;
    }

    /** @param class-string<Model> $class */
    public static function of(string $class): self
    {
        return self::$shapes[$class] ??= new self($class);
    }

    public function declares(string $name): bool
    {
        return isset($this->properties[$name]);
    }

    /** @param array<string, mixed> $members */
    public function fill(Model $model, #[\SensitiveParameter] array $members): void
    {
        $values = $absent = [];
        foreach ($this->properties as $name => $property) {
            $value = self::fit($members[$name] ?? null, $property['type'], $property['items']);
            if ($value !== null || ($property['nullable'] && !isset($members[$name]))) {
                $values[$name] = $value;
            } else {
                $absent[] = $name;
            }
        }
        \Closure::bind($this->assign, $model, $model::class)($values, $absent);
    }

    /** The value as that type; null where it is none of it. */
    private static function fit(#[\SensitiveParameter] mixed $value, string $type, ?string $items): mixed
    {
        return match (true) {
            $value === null => null,
            $items !== null => self::listOf($items, $value),
            $type === 'mixed', get_debug_type($value) === $type => $value,
            $type === 'float' && is_int($value) => (float) $value,
            $type === \DateTimeImmutable::class => self::moment($value),
            is_array($value) && is_subclass_of($type, Model::class) => $type::from($value),
            default => null,
        };
    }

    /**
     * @param class-string<Model> $class
     * @return list<Model>|null
     */
    private static function listOf(string $class, #[\SensitiveParameter] mixed $value): ?array
    {
        if (!is_array($value) || array_filter($value, 'is_array') !== $value) {
            return null;
        }
        return array_map($class::from(...), array_values($value));
    }

    private static function moment(mixed $value): ?\DateTimeImmutable
    {
        if (!is_string($value) || preg_match('/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/', $value) !== 1) {
            return null;
        }
        try {
            return new \DateTimeImmutable($value);
        } catch (\Exception) {
            return null;
        }
    }
}
