<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

/** The repository that these tests are part of. */
final class Checkout
{
    public static function path(string $within): string
    {
        return dirname(__DIR__, 4) . '/' . $within;
    }

    /** An interpreter for the scripted server, which needs no package. */
    public static function python(): string
    {
        $own = self::path('.venv/bin/python');
        return getenv('PYTHON') ?: (is_executable($own) ? $own : 'python3');
    }

    /** An address of this machine that nobody listens at. */
    public static function freeAddress(): string
    {
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        if ($probe === false) {
            throw new \RuntimeException('This machine has no free port.');
        }
        $address = (string) stream_socket_get_name($probe, false);
        fclose($probe);
        return $address;
    }

    /** The installed server, or null. */
    public static function innoai(): ?string
    {
        $own = getenv('INNOAI') ?: self::path('.venv/bin/innoai');
        return is_executable($own) ? $own : null;
    }
}
