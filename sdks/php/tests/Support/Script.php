<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use PHPUnit\Framework\Assert;

/** A program in PHP, run as a process of its own with the package's autoloader. */
final class Script
{
    /**
     * What it printed; it has to end well.
     *
     * @param array<string, string> $environment
     * @param list<string> $flags of the interpreter
     */
    public static function run(string $code, array $environment = [], array $flags = [], ?string $directory = null): string
    {
        $file = tempnam(sys_get_temp_dir(), 'innoai-php-');
        Assert::assertIsString($file);
        file_put_contents($file, $code);
        $autoload = Checkout::path('sdks/php/autoload.php');
        $command = [PHP_BINARY, ...$flags, '-d', "auto_prepend_file={$autoload}", '-d', 'display_errors=stderr', $file];
        $environment = ['PATH' => (string) getenv('PATH'), ...$environment];
        $descriptors = [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']];
        $process = proc_open($command, $descriptors, $pipes, $directory, $environment);
        Assert::assertIsResource($process);
        [$said, $errors] = [(string) stream_get_contents($pipes[1]), (string) stream_get_contents($pipes[2])];
        $status = proc_close($process);
        unlink($file);
        Assert::assertSame(0, $status, $said . $errors);
        return $said;
    }
}
