<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use PHPUnit\Framework\Assert;

/** A program in PHP, run as a process of its own with the package's autoloader. */
final class Script
{
    /**
     * What that code printed; it has to end well.
     *
     * @param array<string, string> $environment
     * @param list<string> $flags of the interpreter
     */
    public static function run(string $code, array $environment = [], array $flags = []): string
    {
        $file = tempnam(sys_get_temp_dir(), 'innoai-php-');
        Assert::assertIsString($file);
        file_put_contents($file, $code);
        $autoload = Checkout::path('sdks/php/autoload.php');
        try {
            return self::ended([...$flags, '-d', "auto_prepend_file={$autoload}", $file], $environment);
        } finally {
            unlink($file);
        }
    }

    /**
     * The same for a file beside this one.
     *
     * @param list<string> $arguments
     * @param list<string> $flags of the interpreter
     */
    public static function runFile(string $name, array $arguments, array $flags = []): string
    {
        return self::ended([...$flags, __DIR__ . "/{$name}", ...$arguments], []);
    }

    /**
     * @param list<string> $arguments of the interpreter
     * @param array<string, string> $environment
     */
    private static function ended(array $arguments, array $environment): string
    {
        $command = [PHP_BINARY, '-d', 'display_errors=stderr', ...$arguments];
        $descriptors = [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']];
        $environment = ['PATH' => (string) getenv('PATH'), ...$environment];
        $process = proc_open($command, $descriptors, $pipes, null, $environment);
        Assert::assertIsResource($process);
        [$said, $errors] = [(string) stream_get_contents($pipes[1]), (string) stream_get_contents($pipes[2])];
        Assert::assertSame(0, proc_close($process), $said . $errors);
        return $said;
    }
}
