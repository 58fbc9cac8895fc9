<?php

declare(strict_types=1);

// Composer's autoloader where there is one; without it the package's own, and what the distribution has of PSR.
if (is_file(__DIR__ . '/../vendor/autoload.php')) {
    require __DIR__ . '/../vendor/autoload.php';
} else {
    require __DIR__ . '/../autoload.php';
    spl_autoload_register(static function (string $class): void {
        $file = __DIR__ . '/' . strtr(substr($class, strlen('InnoAI\\Tests\\')), '\\', '/') . '.php';
        if (str_starts_with($class, 'InnoAI\\Tests\\') && is_file($file)) {
            require $file;
        }
    });
    foreach (['Psr/Http/Client', 'GuzzleHttp'] as $package) {
        $autoload = stream_resolve_include_path("{$package}/autoload.php");
        if ($autoload !== false) {
            require_once $autoload;
        }
    }
}

// What the machine has of our variables must not decide a test.
foreach (['INNOAI_API_KEY', 'INNOAI_BASE_URL', 'http_proxy', 'https_proxy', 'all_proxy', 'ALL_PROXY'] as $name) {
    putenv($name);
    unset($_ENV[$name], $_SERVER[$name]);
}
