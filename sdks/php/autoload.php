<?php

declare(strict_types=1);

// For use without Composer: require this file, and nothing else is needed.
spl_autoload_register(static function (string $class): void {
    if (!str_starts_with($class, 'InnoAI\\')) {
        return;
    }
    $file = __DIR__ . '/src/' . strtr(substr($class, strlen('InnoAI\\')), '\\', '/') . '.php';
    if (is_file($file)) {
        require $file;
    }
});
