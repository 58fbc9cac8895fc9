<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Version;

/** The outcome of each vector, for the table of all SDKs: written where INNOAI_CONFORMANCE_OUT says. */
final class Results
{
    /** @var array<string, array{suite: string, case: string, passed: bool}> */
    private static array $results = [];

    /** A case that is tested in several ways has passed when it did in all of them. */
    public static function add(string $suite, string $case, bool $passed): void
    {
        $before = self::$results["{$suite}\0{$case}"]['passed'] ?? true;
        self::$results["{$suite}\0{$case}"] = ['suite' => $suite, 'case' => $case, 'passed' => $before && $passed];
    }

    public static function write(): void
    {
        $file = getenv('INNOAI_CONFORMANCE_OUT');
        if (is_string($file) && $file !== '') {
            $table = ['sdk' => 'php', 'version' => Version::NUMBER, 'results' => array_values(self::$results)];
            file_put_contents($file, json_encode($table, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES) . "\n");
        }
    }
}
